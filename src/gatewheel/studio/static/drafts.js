// Drafts that wait for a word: one after another, each with its sentence marked in the document, by single keys.

import { documentHref, documentPath, get, post, remove } from "./api.js";
import { underWay, watch } from "./asking.js";
import { $, attempt, forgive, h, say, show } from "./dom.js";
import { plural } from "./format.js";
import { bind } from "./keys.js";
import { reader } from "./reader.js";

const SEEN = 150; // milliseconds: what is pressed sooner was meant for the draft before
const documents = new Map();
let suite = "";
let found = null; // what the API tells of the suite
let current = null; // {draft, since, form}
let later = []; // ids of those that were left for later
let said = []; // ids in the order in which they were accepted or refused in this tab
let stop = null;
let busy = false;

const open = attempt(async () => {
  forgive();
  const known = await get("/api/drafts");
  suite = new URLSearchParams(location.search).get("suite") || known[0]?.suite || "";
  const names = [...new Set([...known.map((one) => one.suite), suite].filter(Boolean))].sort();
  $("suite").replaceChildren(...names.map((name) => h("option", { selected: name === suite }, name)));
  $("suite-pick").hidden = names.length < 2;
  $("more-part").hidden = false;
  if (suite) $("name").value = suite;
  $("more-told").replaceChildren("The model chat asks; what it asks is kept only where the way back leads to its sentence. A suite whose name ends in -train is for training, any other judges. The same on the command line: ", h("code", {}, `gatewheel evals generate ${$("name").value}`));
  if (!suite) return nothing();
  found = await get(`/api/drafts/${encodeURIComponent(suite)}`);
  return next();
});

function nothing() {
  $("far").hidden = true;
  show($("desk"), h("div.empty", {}, h("h2", {}, "No draft waits"), h("p.soft", {}, "A model can draft questions from your documents, each with the sentence that answers it. You accept them one by one.")));
}

function next() {
  stop?.();
  const waiting = found.waiting.map((one) => one.id);
  later = later.filter((id) => waiting.includes(id));
  const id = waiting.find((one) => !later.includes(one)) ?? later[0];
  if (!id) return finished();
  return enter(found.waiting.find((one) => one.id === id));
}

async function enter(draft, first = current === null) {
  far();
  const heading = h("h2.asked", { tabindex: "-1" }, draft.question);
  const answer = h("p.draft-answer", {}, draft.reference);
  const problem = h("p.problem", { role: "alert" });
  const button = (key, text, action, kind = "button.button") => h(kind, { type: "button", onclick: action }, h("kbd", {}, key), text);
  const buttons = h("div.head-actions.wrap.draft-keys", {}, button("a", "Accept", () => judge("accepted"), "button.button.primary"), button("e", "Edit", edit), button("r", "Refuse", () => judge("refused")), button("s", "Later", skip), back());
  const scroller = h("div.draft-document", { tabindex: "0", role: "region", "aria-label": `Text of ${draft.source}` }, h("p.soft", {}, "Opening the document …"));
  const words_ = h("div.draft-words", {}, heading, answer, problem, buttons);
  show($("desk"), h("article.draft", {}, words_, h("section.draft-source", {}, h("p.eyebrow", {}, "Stands in ", h("a", { href: documentHref(draft.source, draft.span) }, draft.source)), scroller)));
  current = { draft, since: performance.now(), words: words_, heading, answer, buttons, problem, form: null };
  if (!first) heading.focus({ preventScroll: true });
  say(`${plural(found.waiting.length, "draft")} left. ${draft.question} ${draft.reference}`);
  await showDocument(draft, scroller);
}

async function showDocument(draft, scroller) {
  if (!documents.has(draft.source)) documents.set(draft.source, get(`/api/documents/${documentPath(draft.source)}`));
  try {
    const doc = await documents.get(draft.source);
    if (current?.draft !== draft) return;
    const read = reader(doc, { span: draft.span, scroller });
    scroller.replaceChildren(read.element);
    stop = read.open();
  } catch (error) {
    documents.delete(draft.source);
    scroller.replaceChildren(h("p.problem", {}, error.status === 404 ? `${draft.source} is no longer among the documents: refuse the draft, unless you know better.` : error.message));
  }
}

// What is accepted in other words stands in the form
async function judge(verdict) {
  if (busy || !current || performance.now() - current.since < SEEN) return;
  const { draft, problem, form } = current;
  if (verdict === "accepted" && form?.lacks()) return;
  const word = { verdict, ...(verdict === "accepted" && form ? form.values() : {}) };
  busy = true;
  problem.textContent = "";
  try {
    const { cases } = await post(`/api/drafts/${encodeURIComponent(suite)}/${encodeURIComponent(draft.id)}`, word);
    said = [...said, draft.id];
    found[verdict] += 1;
    found.cases = cases ?? found.cases;
    found.waiting = found.waiting.filter((one) => one !== draft);
    if (cases && !found.split) found = await get(`/api/drafts/${encodeURIComponent(suite)}`); // it has just been made
  } catch (error) {
    problem.textContent = `${error.message}.`;
    if (error.status === 404) found = await get(`/api/drafts/${encodeURIComponent(suite)}`); // somebody else was quicker
    else return;
  } finally {
    busy = false;
  }
  forgive();
  await next();
}

// What this tab said last
const undo = attempt(async () => {
  if (busy) return;
  const id = said.at(-1);
  if (!id) return say("There is nothing to take back.");
  busy = true;
  try {
    await remove(`/api/drafts/${encodeURIComponent(suite)}/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.status !== 404) throw error; // somebody else was quicker
  } finally {
    busy = false;
  }
  said = said.slice(0, -1);
  forgive();
  found = await get(`/api/drafts/${encodeURIComponent(suite)}`);
  const draft = found.waiting.find((one) => one.id === id);
  await (draft ? enter(draft, false) : next());
  say("Taken back.");
});

function back() {
  return h("button.button", { type: "button", onclick: undo, hidden: !said.length }, h("kbd", {}, "u"), "Undo");
}

function edit() {
  if (!current || current.form) return;
  const { draft, heading, answer, buttons } = current;
  const question = h("textarea", { id: "draft-question", rows: "2", maxlength: "20000" });
  const reference = h("textarea", { id: "draft-reference", rows: "3", maxlength: "20000" });
  question.value = draft.question;
  reference.value = draft.reference;
  const close = () => {
    current.problem.textContent = "";
    form.replaceWith(heading, answer, current.problem, buttons);
    current.form = null;
    buttons.querySelectorAll("button")[1].focus();
  };
  const accept = h("button.button.primary", {}, "Accept it so");
  const form = h("form.draft-edit", { onsubmit: (event) => (event.preventDefault(), judge("accepted")), onkeydown: (event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) judge("accepted");
    else return;
    event.preventDefault();
  } }, h("label.field", {}, h("span.field-name", {}, "Question"), question), h("label.field", {}, h("span.field-name", {}, "Right answer"), reference), current.problem, h("div.head-actions.wrap", {}, accept, h("button.button", { type: "button", onclick: close }, "Leave it as it is")));
  current.words.replaceChildren(form);
  // an empty one would be taken for the words of the draft
  const lacks = () => {
    const empty = [[question, "Write the question"], [reference, "Write the right answer"]].filter(([field]) => !field.value.trim());
    for (const field of [question, reference]) field.setAttribute("aria-invalid", `${!field.value.trim()}`);
    current.problem.textContent = empty.length ? `${empty[0][1]}, or leave the draft as it is.` : "";
    empty[0]?.[0].focus();
    return empty.length > 0;
  };
  current.form = { lacks, values: () => ({ question: question.value.trim(), reference: reference.value.trim() }) };
  question.focus();
}

function skip() {
  if (busy || !current) return;
  if (found.waiting.length < 2) return say("There is no other left.");
  later = [...later.filter((id) => id !== current.draft.id), current.draft.id];
  next();
}

function far() {
  const done = found.accepted + found.refused;
  const all = done + found.waiting.length;
  show($("far"), h("progress", { max: `${all}`, value: `${done}`, "aria-label": "Read" }), h("p.progress-facts", {}, h("span", {}, `${plural(found.waiting.length, "draft")} left`), h("span", {}, `${found.accepted} accepted, ${found.refused} refused`), later.length > 0 && h("span", {}, `${later.length} for later`)));
  const side = found.split ? (found.split === "train" ? "is for training" : "judges: its cases are held out") : suite.endsWith("-train") ? "is made with the first one, for training" : "is made with the first one, and held out";
  $("summary").textContent = `What you accept becomes a case of ${suite}, which ${side}. Read the question, and the marked sentence that answers it.`;
}

function finished() {
  current = null;
  const { accepted, refused, split, cases } = found;
  if (!accepted && !refused) return nothing();
  far();
  const href = split === "train" ? `/improve?data=${encodeURIComponent(suite)}` : `/evaluate?suite=${encodeURIComponent(suite)}`;
  show($("desk"), h("section.finished", {}, h("h2", { tabindex: "-1" }, "Every draft is read"), h("p.soft", {}, `${accepted} accepted, ${refused} refused. `, split && `Suite ${suite} has ${plural(cases, "case")}.`), h("div.head-actions.wrap", {}, split && h("a.button.primary", { href }, split === "train" ? "Tune on them" : "Evaluate with them"), back())));
  $("desk").querySelector("h2").focus({ preventScroll: true });
  return undefined;
}

// What somebody writes stays until it is said
const drafting = (id) => watch(id, () => current?.form || open());

$("more").addEventListener("submit", attempt(async (event) => {
  event.preventDefault();
  const [name, number] = [$("name").value.trim(), Number($("count").value)];
  $("more-problem").textContent = !name ? "Name a suite." : !Number.isInteger(number) || number < 1 ? "Give a whole number from 1." : "";
  if ($("more-problem").textContent) return;
  try {
    const { run } = await post(`/api/drafts/${encodeURIComponent(name)}`, { count: number });
    history.replaceState(null, "", `/improve/drafts?suite=${encodeURIComponent(name)}`);
    await drafting(run);
  } catch (error) {
    $("more-problem").textContent = `${error.message}.`;
  }
}));
$("suite").addEventListener("change", () => {
  history.pushState(null, "", `/improve/drafts?suite=${encodeURIComponent($("suite").value)}`);
  later = [];
  said = [];
  open();
});
for (const [key, action] of [["a", () => current?.form || judge("accepted")], ["r", () => current?.form || judge("refused")], ["e", edit], ["s", skip], ["u", () => current?.form || undo()]]) bind(key, (event) => event?.repeat || action());
window.addEventListener("popstate", () => {
  later = said = []; // they were of another suite
  open();
});
open().then(attempt(async () => {
  const id = await underWay("generate");
  if (id) await drafting(id);
}));
