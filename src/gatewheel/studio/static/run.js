// One run: how far it is, its log, and the buttons to cancel and resume it.

import { get, post, sideBySide, text, withQuery } from "./api.js";
import { $, attempt, h, say, show } from "./dom.js";
import { fullTime, seconds } from "./format.js";
import { bar, follow, isOver, standing, words } from "./progress.js";

const RESUMABLE = ["cancelled", "failed", "interrupted"];
const id = decodeURIComponent(location.pathname.split("/")[2]);
const at = `/api/runs/${encodeURIComponent(id)}`;

const now = h("div.run-now");
// made once: a button that is drawn anew with each step cannot be pressed, nor keep the focus
const [cancel, resume] = [["Cancel", "cancel"], ["Resume", "resume"]].map(([words_, action]) => h("button.button", { type: "button", hidden: true, onclick: attempt(async ({ currentTarget: pressed }) => {
  pressed.disabled = true;
  try {
    draw(await post(`${at}/${action}`));
  } finally {
    pressed.disabled = false;
  }
  await watch();
}) }, words_));
const actions = h("div.run-actions", {}, cancel, resume);
const facts = h("dl.facts");
const skipped = h("section.part", { hidden: true });
const made = h("p.run-made", { hidden: true });
const log = h("pre.log", { tabindex: "0", "aria-label": "Log" });

function draw(run) {
  now.replaceChildren(bar(run));
  const cancelling = standing(run) === "cancelling";
  cancel.hidden = isOver(run);
  cancel.disabled = cancelling;
  cancel.textContent = cancelling ? "Cancelling …" : "Cancel";
  resume.hidden = !RESUMABLE.includes(run.state);
  const pairs = [["State", standing(run)], ["Created", fullTime(run.created)], ["Started", run.started && fullTime(run.started)], ["Ended", run.ended && fullTime(run.ended)], ["Took", run.started && run.ended && seconds(run.ended - run.started)], ["Lineage", ["finetune", "improve"].includes(run.kind) && h("a", { href: `/lineage/${encodeURIComponent(run.id)}` }, "made of, and what came of it")]];
  facts.replaceChildren(...pairs.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  const leads = links(run);
  if (leads) show(made, leads);
  const lost = run.result?.skipped ?? [];
  if (lost.length) show(skipped, h("h2", {}, "Left out"), h("ul.rows", {}, lost.map(({ source, reason }) => h("li.row.plain", {}, h("div.row-main", {}, h("span.mono", {}, source), h("p.row-more", {}, reason))))));
}

// Where what it made is seen
function links({ id: run, kind, state, result }) {
  if (kind === "finetune" || kind === "improve") return h("a.button", { href: `/improve?run=${encodeURIComponent(run)}` }, "See its curves");
  if (kind === "add" && result?.variant) return h("a.button", { href: `/lineage/${result.variant}` }, "See the variant");
  if (state !== "done" || !result?.reports?.length) return null;
  const reports = sideBySide([...result.reports].reverse(), { suite: result.suite });
  return [h("a.button", { href: reports }, result.reports.length > 1 ? "See the reports" : "See the report"), result.decision && [" ", h("a.button", { href: withQuery("/release", { app: result.app === "main" ? "" : result.app }) }, "To the release")]];
}

async function readLog() {
  log.textContent = (await text(`${at}/log`)).trim() || "Nothing was written.";
  log.scrollTop = log.scrollHeight;
}

let watching = false;

async function watch() {
  if (watching) return;
  watching = true;
  const timer = setInterval(() => readLog().catch(() => {}), 2000);
  try {
    const last = await follow(id, draw);
    if (last) say(`The run is over: ${words(last)}`);
  } finally {
    clearInterval(timer);
    watching = false;
  }
  await readLog();
}

attempt(async () => {
  const run = await get(at);
  document.title = `${run.kind} ${run.id} · Run · Gatewheel`;
  show($("run"), h("header.head", {}, h("div", {}, h("h1", { id: "title" }, run.kind), h("p.soft", {}, run.about && `${run.about} · `, h("span.mono", {}, run.id))), actions), now, made, facts, skipped, h("section.part", {}, h("h2", {}, "Log"), log));
  draw(run);
  await readLog();
  if (!isOver(run)) await watch();
})();
