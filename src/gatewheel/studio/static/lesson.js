// What can be learned: the sets of cases to choose from, and what is in the one that is chosen.

import { get } from "./api.js";
import { $, h, show } from "./dom.js";
import { count, fullTime, plural, when } from "./format.js";
import { heard } from "./writings.js";

const FIRST = 4; // frozen versions that are seen at once
const FEW = 20; // cases from which little is learned
const looked = new Map();

export function idOf(set) {
  return set.version ? set.version.slice(0, 12) : set.name;
}

// choose(id) is called with a suite's name or the beginning of a version
export function sets(choices, chosen, choose) {
  if (!choices.sets.length) return nothing(choices);
  const suites = choices.sets.filter((one) => !one.version);
  const versions = choices.sets.filter((one) => one.version);
  const late = versions.slice(FIRST);
  const rows = (some) => some.map((one) => row(one, idOf(one) === chosen, choose));
  return [
    rows([...suites, ...versions.slice(0, FIRST)]),
    late.length > 0 && h("details.more-sets", { open: late.some((one) => idOf(one) === chosen) }, h("summary", {}, `${plural(late.length, "older version")}`), rows(late)),
    drafts(choices.drafts),
  ];
}

function row(one, on, choose) {
  const wrong = one.fault || (one.tainted.length && `tainted: ${one.tainted.join("; ")}`);
  const facts = [
    plural(one.cases, "case"),
    one.teaching < one.cases && `${count(one.teaching)} with a right answer`,
    one.version ? h("span", { title: fullTime(one.created) }, `frozen ${when(one.created)}`) : "as it stands now",
  ].filter(Boolean);
  return h(
    "label.set",
    {},
    h("input", { type: "radio", name: "data", value: idOf(one), checked: on, disabled: Boolean(wrong), onchange: () => choose(idOf(one)) }),
    h("span.set-name", {}, one.name, one.version && h("span.mono.soft", { title: one.version }, one.version.slice(0, 12))),
    h("span.set-facts", {}, wrong ? h("span.problem", {}, wrong) : facts.map((fact, at) => [at ? " · " : "", fact])),
  );
}

function drafts(waiting) {
  const number = waiting.reduce((sum, one) => sum + one.waiting, 0);
  const where = waiting.length === 1 ? `/improve/drafts?suite=${encodeURIComponent(waiting[0].suite)}` : "/improve/drafts";
  return h("p.drafts-wait", {}, number ? [h("strong", {}, plural(number, "draft")), ` from your documents wait${number === 1 ? "s" : ""} for a word of yours. `] : "More cases can be drafted from your documents. ", h("a", { href: number ? where : "/improve/drafts" }, number ? "Read them" : "Draft some"));
}

function nothing(choices) {
  return h(
    "div.empty",
    {},
    h("h2", {}, "Nothing to learn from yet"),
    h("p.soft", {}, "A suite for training is a set of questions with their right answers, apart from those that judge. Corrected answers become one, and so does a file of your own:"),
    h("pre.command", {}, "gatewheel data import FILE --to NAME-train --split train\ngatewheel data harvest --to NAME-train"),
    drafts(choices.drafts),
  );
}

// Draws what is in a set, as soon as it is known; `wanted()` says whether it still is
export async function about(data, app, wanted) {
  const key = `${app} ${data}`;
  const part = $("about");
  if (part.dataset.of !== key) show(part, h("p.soft", {}, `Looking into ${data} …`)).setAttribute("aria-busy", "true");
  part.dataset.of = key;
  const found = await once(key, () => get("/api/improve/data", { data, app }));
  if (!wanted()) return;
  const near = h("div", {}, h("p.soft", {}, "Comparing with what is held out …"));
  show(part, figures(found), balance(found), samples(found), h("section", { "aria-label": "Leaks" }, h("h3", {}, "Apart from what judges"), near));
  try {
    const leaks = await compared(data, wanted);
    if (leaks) show(near, leaked(leaks, found));
  } catch (error) {
    show(near, h("p.problem", {}, error.message));
  }
}

// Versions never change; a suite does, so that what is known of it is forgotten with the page, or when a run is over
export function forget() {
  looked.clear();
}

async function once(key, make) {
  if (!looked.has(key)) looked.set(key, make().catch((error) => (looked.delete(key), Promise.reject(error))));
  return looked.get(key);
}

// Asks until it is known; null when nobody wants it any more
async function compared(data, wanted) {
  for (;;) {
    const { checked, nearness } = await get("/api/improve/leaks", { data });
    if (!wanted()) return null;
    if (checked) return nearness;
  }
}

function figures({ stats }) {
  const size = ({ median, p95, longest }) => `${count(median)} · ${count(p95)} · ${count(longest)}`;
  const twins = [stats.same && `${count(stats.same)} ${stats.same === 1 ? "asks" : "ask"} what another asks`, stats.near && `${count(stats.near)} nearly what another asks`, stats.contradictions && `${plural(stats.contradictions, "contradiction")}`].filter(Boolean).join(", ");
  const pairs = [
    ["To learn", plural(stats.cases - stats.silent, "case")],
    stats.silent && ["Without a right answer", `${count(stats.silent)}, left out`],
    ["Duplicates", twins || "none"],
    [`${stats.unit[0].toUpperCase()}${stats.unit.slice(1)} of a question`, h("span", { title: "median · 95% are no longer · the longest" }, size(stats.question))],
    stats.context.texts && [`${stats.unit} of a text`, size(stats.context)],
    [`${stats.unit[0].toUpperCase()}${stats.unit.slice(1)} of a reply`, h("span", { title: "median · 95% are no longer · the longest" }, size(stats.reply))],
  ];
  return [h("dl.facts", {}, pairs.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))), h("p.soft.fine", {}, "Lengths are the median, what 95% do not exceed, and the longest.", stats.cases - stats.silent < FEW && " So few cases teach little: some dozens are a beginning.")];
}

// How often each reply or label is right, where they are few
function balance({ stats, replies }) {
  const counts = Object.entries(Object.keys(stats.labels).length ? stats.labels : replies);
  if (counts.length < 2) return null;
  const most = Math.max(...counts.map(([, number]) => number));
  return h("section", { "aria-label": "Balance of replies" }, h("h3", {}, "How often each reply is right"), h("ul.balance", {}, counts.map(([name, number]) => h("li", {}, h("span.balance-name", {}, name), h("meter", { min: "0", max: `${most}`, value: `${number}`, "aria-label": name }), h("span.soft", {}, count(number))))));
}

function samples({ samples: some, app }) {
  if (!some.length) return null;
  return h("section", { "aria-label": "Samples" }, h("h3", {}, app ? `As the application ${app} words them` : "Samples"), h("ul.samples", {}, some.map(({ prompt, reply }) => h("li.sample", {}, heard(prompt), h("p.said-reply", {}, h("span.away", {}, "The right reply: "), reply)))));
}

function leaked({ suites, cases, held, vectors, found }, { name, version }) {
  if (!suites.length) return h("p.soft", {}, "No suite is held out, so nothing judges what is learned. Part one: ", h("code", {}, "gatewheel data split SUITE --train 0.8"));
  const against = `${suites.join(", ")}, by words${vectors ? " and by meaning" : ""}`;
  if (!cases && !held) return h("p", {}, h("span.tag.on", {}, "clean"), ` No case is near to one of ${against}.`);
  const twice = held > 0 && `${plural(held, "case")} stand${held === 1 ? "s" : ""} on the held-out side already. `;
  return [
    h("p", {}, h("span.tag.bad", {}, "leak"), " ", cases > 0 && `${plural(cases, "case")} ${cases === 1 ? "is" : "are"} near to one of ${against}. `, twice, version ? frozen(cases + held === 1) : unfrozen(cases, held, name)),
    h("ul.leaked-cases", {}, found.map((one) => h("li", {}, h("q", {}, one.question), " ~ ", h("q", {}, one.other), h("span.soft", {}, ` of ${one.suite}`)))),
  ];
}

function unfrozen(cases, held, name) {
  const left = `${cases + held === 1 ? "It is" : "They are"} left out when the data is frozen, so that the judge stays fair.`;
  if (!cases) return left;
  const them = cases === 1 ? "it" : "them";
  return `${left} Take ${them} out of ${name} too: a gate may refuse to judge beside ${them}.`;
}

function frozen(one) {
  return `A version never changes, so ${one ? "it is" : "they are"} learned: a gate then judges without the held-out cases that ${one ? "it is" : "they are"} near to, and not at all if those are too many.`;
}
