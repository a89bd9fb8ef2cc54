// The Label page: one item after another, blind, by single keys. What is said is kept before the next one comes.

import { get, put, remove, sideBySide } from "./api.js";
import { begin } from "./begin.js";
import { grades, pair } from "./desk.js";
import { $, attempt, complain, forgive, h, say, show } from "./dom.js";
import { count, plural } from "./format.js";
import { bind } from "./keys.js";
import { results } from "./labelled.js";

const FIELDS = ["suite", "rubric", "repeats", "rater", "seal", "item", "show"];
const SEEN = 150; // milliseconds: what is pressed sooner was meant for the item before
const PAUSE = 300; // seconds between two labels from which on somebody was away
const at = "/api/evals/labels";
let sheet = null;
let current = null; // {item, shown: the item as the API tells it, since, panel}
let busy = false;
let loaded = new Map(); // token → promise of an item
let later = []; // tokens that were skipped, the first one first
let given = []; // tokens in the order in which they were labelled in this tab
let turns = 0; // labels given and taken back, and sheets opened, in this tab

function state() {
  const query = new URLSearchParams(location.search);
  return { ...Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""])), report: query.getAll("report").filter(Boolean) };
}

function href(changes) {
  const { report, ...rest } = { ...state(), ...changes };
  const query = new URLSearchParams(Object.entries(rest).filter(([, text]) => text !== ""));
  for (const id of report) query.append("report", id);
  return query.size ? `/label?${query}` : "/label";
}

function path(name, more = {}) {
  const { report, rubric, repeats, rater, seal } = state();
  const query = new URLSearchParams(Object.entries({ rubric, repeats, rater, seal, ...more }).filter(([, text]) => text));
  for (const id of report) query.append("report", id);
  return `${at}${name}?${query}`;
}

const open = attempt(async () => {
  forgive();
  turns += 1;
  const now = state();
  for (const name of ["far", "results"]) $(name).hidden = true;
  document.body.classList.remove("at-desk");
  const session = await get("/api/session");
  const choose = (wrong = "") => begin($("desk"), now, session, (next) => location.assign(href(next)), wrong);
  if (!now.report.length || !(now.rater || session.key)) return choose();
  try {
    if (now.show === "results") return await reveal();
    sheet = await get(path("/sheet"));
  } catch (error) {
    if (error.status !== 400 && error.status !== 404) throw error;
    $("results").hidden = true;
    return choose(error.message);
  }
  // an operator is told the seal: with it the address is the link for raters
  if (sheet.seal) history.replaceState(null, "", href({ seal: sheet.seal }));
  loaded = new Map();
  later = [];
  return next(now.item);
});

function standing(token) {
  return sheet.items.find((one) => one.item === token);
}

// The item that is named, if it is on the sheet; else the next that is not labelled, those that were skipped last
function next(wanted = "") {
  const waiting = sheet.items.filter((one) => !one.given).map((one) => one.item);
  later = later.filter((token) => waiting.includes(token));
  const queue = [...waiting.filter((token) => !later.includes(token)), ...later];
  if (!queue.length && !standing(wanted)) return finished();
  const token = standing(wanted) ? wanted : queue[0];
  const after = queue.find((other) => other !== token);
  if (after) load(after).catch(() => {}); // so that it is there at once
  return enter(token);
}

function load(token) {
  if (!loaded.has(token)) {
    const coming = get(path("/item", { item: token }));
    coming.catch(() => loaded.delete(token));
    loaded.set(token, coming);
  }
  return loaded.get(token);
}

async function enter(token) {
  const first = current === null;
  busy = true;
  try {
    const shown = await load(token);
    history.replaceState(null, "", href({ item: token, show: "" }));
    far();
    const choose = attempt(give);
    const panel = sheet.criteria.length ? grades(shown, sheet.criteria, choose) : pair(shown, choose);
    const stand = standing(token).given;
    if (stand) panel.mark(stand);
    current = { item: token, since: performance.now(), panel };
    panel.element.append(hand(panel.why.element));
    document.body.classList.add("at-desk");
    show($("desk"), panel.element);
    if (!first) panel.heading.focus({ preventScroll: true });
    if (!first) scrollTo({ top: 0 });
    say(`${sheet.criteria.length ? "Answer" : "Pair"} ${count(place(token))} of ${count(sheet.items.length)}: ${shown.question}`);
  } finally {
    busy = false;
  }
}

function place(token) {
  return sheet.items.findIndex((one) => one.item === token) + 1;
}

// said: {better} or {scores}; early presses were meant for what stood here before
async function give(said) {
  if (busy || !current || performance.now() - current.since < SEEN) return;
  const { item, panel } = current;
  busy = true;
  panel.mark(said);
  try {
    await put(path("/item", { item }), { ...said, comment: panel.why.value() });
    turns += 1;
    standing(item).given = { ...said, created: Date.now() / 1000 };
    given = [...given.filter((token) => token !== item), item];
    loaded.delete(item);
  } catch (error) {
    panel.mark({});
    throw error;
  } finally {
    busy = false;
  }
  forgive();
  await next();
  say(`Kept, ${far()}. ${current ? "Next." : ""}`);
}

// What this tab labelled last, or after a reload what was labelled last at all
const undo = attempt(async () => {
  if (busy || !sheet) return;
  const newest = sheet.items.filter((one) => one.given).sort((a, b) => b.given.created - a.given.created)[0]?.item;
  const token = given.findLast((one) => standing(one)?.given) ?? newest;
  if (!token) return say("There is nothing to take back.");
  busy = true;
  try {
    await remove(path("/item", { item: token }));
  } finally {
    busy = false;
  }
  turns += 1;
  given = given.filter((one) => one !== token);
  standing(token).given = null;
  loaded.delete(token);
  await enter(token);
  say("Taken back.");
});

const skip = attempt(async () => {
  if (busy || !current) return;
  if (sheet.items.filter((one) => !one.given).length < 2) return say("There is no other left.");
  later = [...later.filter((one) => one !== current.item), current.item];
  await next();
});

// How far one is, and how long the rest takes at the pace of the last labels
function far() {
  const done = sheet.items.filter((one) => one.given).length;
  const all = sheet.items.length;
  const words = `${count(done)} of ${count(all)} labelled`;
  const rest = left(all - done);
  const facts = [rest && `about ${rest < 90 ? `${rest} s` : `${Math.round(rest / 60)} min`} left`, sheet.alike && `${plural(sheet.alike, "pair")} said the same and ${sheet.alike === 1 ? "is" : "are"} left out`, sheet.hidden && `${plural(sheet.hidden, "item")} this key may not see`].filter(Boolean);
  show($("far"), h("progress", { max: `${all}`, value: `${done}`, "aria-label": "Labelled" }), h("p.progress-facts", {}, h("span", {}, words), facts.map((fact) => h("span", {}, fact))));
  show($("summary"), `Suite ${sheet.suite}, labelled by ${sheet.rater}. `, sheet.criteria.length ? "Grade each answer; you are not told whose it is." : "Which answer is better? You are not told whose they are.");
  return words;
}

function left(waiting) {
  const times = sheet.items.flatMap((one) => (one.given ? [one.given.created] : [])).sort((a, b) => a - b).slice(-31);
  const gaps = times.slice(1).map((time, n) => time - times[n]).filter((gap) => gap < PAUSE).sort((a, b) => a - b);
  if (gaps.length < 3 || !waiting) return 0;
  return Math.max(1, Math.round(gaps[gaps.length >> 1] * waiting));
}

function hand(why) {
  const can = sheet.items.some((one) => one.given);
  return h("div.hand", {}, why, h("button.button.small", { type: "button", onclick: undo, disabled: !can }, h("kbd", {}, "u"), "Undo"), h("button.button.small", { type: "button", onclick: skip }, h("kbd", {}, "s"), "Later"));
}

function finished() {
  current = null;
  far();
  document.body.classList.remove("at-desk");
  history.replaceState(null, "", href({ item: "", show: "" }));
  show($("desk"), h("section.finished", {}, h("h2", { tabindex: "-1" }, sheet.items.length === 1 ? "It is labelled." : `All ${count(sheet.items.length)} are labelled.`), h("p.soft", {}, `Whose answers they are is told now. ${sheet.seal ? "What you label after that is no longer blind." : "After that nothing on this sheet can be changed."}`), h("div.head-actions", {}, h("button.button.primary", { type: "button", onclick: () => (history.pushState(null, "", href({ show: "results", item: "" })), open()) }, "Show whose they are"), h("button.button", { type: "button", onclick: undo }, h("kbd", {}, "u"), "Undo the last"))));
  $("desk").querySelector("h2").focus({ preventScroll: true });
}

async function reveal() {
  current = null;
  sheet = null;
  $("desk").replaceChildren();
  $("desk").removeAttribute("aria-busy");
  show($("results"), h("p.soft", { "aria-busy": "true" }, "Working out how far people agree …"));
  const found = await get(path(""));
  show($("results"), results(found, { back: href({ show: "" }), reports: sideBySide(state().report, { suite: found.suite }) }));
  show($("summary"), `Suite ${found.suite}: what people said, and whose the answers are.`);
}

// Another tab may have labelled meanwhile
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !sheet || !current || busy) return;
  const [turn, { item, panel }] = [turns, current];
  get(path("/sheet")).then((now) => {
    if (turn !== turns || busy || current?.item !== item) return;
    const before = standing(item).given;
    sheet = now;
    far();
    if (!before && standing(item)?.given && !panel.why.value()) next(); // what stands there to be corrected stays
  }, complain);
});

function press(key, said) {
  bind(key, (event) => {
    if (event?.repeat || !current) return;
    current.panel.press(said);
  });
}

for (const digit of "0123456789") press(digit, Number(digit));
press("ArrowLeft", "left");
press("ArrowRight", "right");
bind("u", (event) => event?.repeat || undo());
bind("s", (event) => event?.repeat || skip());
window.addEventListener("popstate", open);
open();
