// What a thing was made of, and what came of it: two trees from one root, each branch of which can be opened.

import { documentHref, documentPath, get, withQuery } from "./api.js";
import { $, attempt, h, show } from "./dom.js";
import { count, fullTime, plural, short, when } from "./format.js";
import { walk } from "./keys.js";

const MOST = 200;
const OPEN = 60; // things that are all shown at first; of more the outer branches are closed
const LEVELS = 3;
const STEPS = "#lineage .branch";
const name = location.pathname.slice("/lineage/".length).split("/").map(decodeURIComponent).join("/");
const asked = new URLSearchParams(location.search);

export function lineageHref(id) {
  return `/lineage/${documentPath(id)}`;
}

const pages = {
  trace: ({ id }) => `/traces/${encodeURIComponent(id)}`,
  run: ({ id }) => `/runs/${encodeURIComponent(id)}`,
  variant: ({ id }) => withQuery("/traces", { variant: id }),
  release: () => "/release",
  document: ({ id }, where) => documentHref(id, where.match(/\d+/g)),
};

function page(node, where = "") {
  return node.id && pages[node.kind]?.(node, where);
}

function size(branch) {
  return 1 + branch.branches.reduce((sum, one) => sum + size(one), 0);
}

function row({ node, where, again }) {
  const there = page(node, where);
  const words = node.label || node.id;
  const whole = ["document", "file", "run", "release", "user"].includes(node.kind) || !node.id;
  return [
    h("span.kind", {}, node.kind),
    there ? h("a", { href: there }, words) : h("span.said", {}, words),
    node.id && node.id !== words && h("span.mono.soft", { title: node.id }, whole ? node.id : short(node.id)),
    where && h("span.soft", {}, where),
    node.created && h("time.soft", { datetime: new Date(node.created * 1000).toISOString(), title: fullTime(node.created) }, when(node.created)),
    node.tainted.map((reason) => h("span.tag.bad", {}, `tainted: ${reason}`)),
    again && h("span.soft", {}, "told elsewhere in this tree"),
    node.id && node.kind !== "release" && h("a.from", { href: lineageHref(node.id), "aria-label": `Lineage of ${node.kind} ${words}` }, "from here"),
  ];
}

function more(branch) {
  const counted = Object.entries(branch.more).map(([kind, number]) => (kind === "feedback" ? plural(number, "word of feedback", "words of feedback") : plural(number, kind)));
  if (!counted.length) return null;
  const all = asked.get("most") !== `${MOST}` && h("a", { href: withQuery(location.pathname, { most: MOST }) }, "List more");
  return h("li.leaf.more", {}, h("span.soft", {}, `and ${counted.join(" and ")} more`), all);
}

function twig(branch, level, deep) {
  const inner = below(branch, level + 1, deep);
  if (!inner) return h("li.leaf", {}, h("div.branch", { tabindex: "-1" }, row(branch)));
  return h("li", {}, h("details", { open: level < deep }, h("summary.branch", {}, row(branch)), inner));
}

function below(branch, level, deep) {
  if (!branch.branches.length && !Object.keys(branch.more).length) return null;
  return h("ul.twigs", {}, branch.branches.map((one) => twig(one, level, deep)), more(branch));
}

function tree(title, branch, nothing) {
  if (!branch) return null;
  const inner = below(branch, 0, size(branch) > OPEN ? LEVELS : Infinity);
  return h("section.part", {}, h("h2", {}, title), inner ?? h("p.soft", {}, nothing));
}

// The arrows of a tree; what is inside of a closed branch is no place to go to.
function steer(event) {
  const at = event.target.closest?.(".branch");
  if (!at || event.target.closest("a") !== null && !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const all = [...document.querySelectorAll(STEPS)].filter((one) => one.checkVisibility());
  const box = at.tagName === "SUMMARY" ? at.parentElement : null;
  const moves = {
    ArrowDown: () => all[all.indexOf(at) + 1]?.focus(),
    ArrowUp: () => all[all.indexOf(at) - 1]?.focus(),
    ArrowRight: () => box && (box.open ? all[all.indexOf(at) + 1]?.focus() : (box.open = true)),
    ArrowLeft: () => (box?.open ? (box.open = false) : at.parentElement.closest("ul")?.closest("details")?.querySelector("summary").focus()),
  };
  const move = moves[event.key];
  if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  move();
}

attempt(async () => {
  const found = await get(`/api/lineage/${documentPath(name)}`, { most: asked.get("most") });
  const { node } = found;
  document.title = `${node.label || node.id} · Lineage · Gatewheel`;
  const there = page(node);
  const tainted = node.tainted.map((reason) => h("p.problem", {}, `Tainted: ${reason}. No gate and no release takes it.`));
  show(
    $("lineage"),
    h("header.head", {}, h("div", {}, h("h1", { id: "title" }, node.label || node.id), h("p.soft", {}, `${node.kind} `, h("span.mono", {}, node.id), node.created && ` · ${fullTime(node.created)}`)), there && h("a.button", { href: there }, `To the ${node.kind === "variant" ? "traces" : node.kind}`)),
    tainted,
    tree("Made of", found.up, "Nothing is known of what it was made of."),
    tree("What came of it", found.down, "Nothing came of it yet."),
    h("p.soft.told", {}, `${count((found.up ? size(found.up) - 1 : 0) + (found.down ? size(found.down) - 1 : 0))} things are shown.`),
  );
  $("lineage").addEventListener("keydown", steer);
  walk(STEPS);
})();
