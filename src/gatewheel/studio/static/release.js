// What answers for an application, what could follow it with the reasons of its gates, the history, and the way back.

import { get, post, sideBySide, withQuery } from "./api.js";
import { underWay, watch } from "./asking.js";
import { $, attempt, forgive, h, say, show } from "./dom.js";
import { fullTime, plural, short, when } from "./format.js";
import { sure } from "./sure.js";

const OUTCOMES = { promote: ["on", "passed"], reject: ["bad", "rejected"], inconclusive: ["", "inconclusive"] };
const MARKS = { promote: "✓", reject: "✗", inconclusive: "?" };
const WEIGHT = { reject: 0, inconclusive: 1, promote: 2 };
const EVALUATED = 95; // the level of Evaluate
const EVERY = 10_000; // milliseconds between two looks
const SOON = 2_500; // by then the service follows
const AGAIN = 500; // milliseconds until what was not known is asked for again
const RECHECK = 60_000; // milliseconds until it is asked again whether a pass still holds
let latest; // what the last look found
let verdicts = { head: "", of: new Map(), until: 0 }; // why a candidate that passed would be refused, of this state of the history
let checking = false;
let shown = "";

function chosen() {
  return new URLSearchParams(location.search).get("app") || "main";
}

const draw = attempt(async ({ again = false } = {}) => {
  latest = await get("/api/releases", { app: chosen() });
  if (latest.head !== verdicts.head) verdicts = { head: latest.head, of: new Map(), until: 0 };
  paint({ again });
  check();
});

function paint({ again }) {
  const found = latest;
  const all = JSON.stringify([found, ...verdicts.of]);
  if (again && (all === shown || document.querySelector("dialog[open]"))) return;
  shown = all;
  const one = current();
  $("app").replaceChildren(...found.apps.map(({ app }) => h("option", { selected: app === chosen() }, app)));
  $("app-pick").hidden = found.apps.length < 2;
  if (!one) return show($("now"), h("div.empty", {}, h("h2", {}, `There is no application ${chosen()}`), h("a.button", { href: "/release" }, "To main")));
  const open = new Set([...document.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  show($("now"), incumbent(one));
  $("candidates-part").hidden = false;
  drawAsking(found, one);
  show($("candidates"), one.candidates.length ? one.candidates.map((each) => candidate(each, one)) : none(one));
  $("history-part").hidden = !found.history.length;
  show($("history"), found.history.map((row) => event(row, one)));
  chain(found);
  for (const each of document.querySelectorAll("details")) each.open = open.has(each.dataset.key);
}

function current() {
  return latest.apps.find(({ app }) => app === chosen());
}

// Whether a pass still holds may take minutes to find out, so the page does not wait for it
const check = attempt(async () => {
  if (checking || Date.now() < verdicts.until || !current()?.candidates.some((each) => each.passed)) return;
  checking = true;
  try {
    for (;;) {
      const { head } = verdicts;
      const { checked, candidates } = await get(`/api/releases/${encodeURIComponent(chosen())}/refused`);
      if (checked && head === verdicts.head) {
        verdicts.of = new Map(candidates.map(({ variant, refused }) => [variant, refused]));
        verdicts.until = Date.now() + RECHECK;
        return paint({ again: true });
      }
      await new Promise((over) => setTimeout(over, AGAIN));
    }
  } finally {
    checking = false;
  }
});

// Who may be put before a gate: what the file says, for this application or another, and what was judged before
function drawAsking({ apps }, one) {
  const chosen = $("who-asked")?.value;
  const names = [...apps.map(({ app }) => app), ...one.candidates.filter((each) => !each.app).map((each) => each.variant)];
  const here = document.activeElement?.id;
  const select = h("select", { id: "who-asked" }, names.map((name) => h("option", { value: name, selected: name === chosen }, name.length === 64 ? `variant ${short(name)}` : `app ${name}, as the file says it`)));
  const gate = h("select", { id: "which-gate" }, one.gates.map((name) => h("option", {}, name)));
  $("gate-ask").hidden = !one.gates.length;
  show($("gate-ask"), h("label", {}, h("span", {}, "Candidate"), select), h("label", { hidden: one.gates.length < 2 }, h("span", {}, "Gate"), gate), h("button.button", { type: "button", id: "ask-gate", onclick: () => askGate(one, select.value, gate.value) }, "Ask the gate"));
  $("gate-ask").hidden = !one.gates.length;
  if (here && $("gate-ask").contains($(here))) $(here).focus();
}

const askGate = attempt(async (one, named, gate) => {
  forgive();
  const { run } = await post(`/api/releases/${encodeURIComponent(one.app)}/gate`, { variant: named, gate });
  say("The gate is asked.");
  await watch(run, judged);
});

async function judged(run) {
  if (run.state === "done") say(`The gate said: ${OUTCOMES[run.result.decision.outcome]?.[1] ?? run.result.decision.outcome}`);
  await draw();
}

function variant(id, words = "what the file says") {
  if (!id) return h("span", {}, words);
  return h("a.mono.above", { href: withQuery("/traces", { variant: id }), title: `Variant ${id}: its traces` }, short(id));
}

function time(posix) {
  return h("time", { datetime: new Date(posix * 1000).toISOString(), title: fullTime(posix) }, when(posix));
}

function incumbent(one) {
  const { released, since, back } = one;
  const behind = one.answering !== released;
  return h(
    "div.now",
    {},
    h(
      "div",
      {},
      h("p.eyebrow", {}, released ? "Released" : "Nothing is released: gatewheel.toml answers"),
      h("p.now-variant", {}, variant(released || one.file)),
      h("p.row-facts", {}, since ? [h("span", {}, "since ", time(since.created)), since.author && h("span", {}, `by ${since.author}`), h("span", {}, since.action === "rollback" && "rolled back", since.action === "rollback" && how(since) && ": ", how(since))] : h("span", {}, "it changes with the file, without a gate"), behind && h("span.tag.on", {}, "this service is about to follow")),
      released && released !== one.file && h("p.soft", {}, "The file says another variant by now: ", variant(one.file), ". It answers nobody until it is released."),
    ),
    back !== null && h("button.button", { type: "button", id: "back", onclick: () => rollBack(one) }, "Roll back"),
  );
}

function none(one) {
  const text = one.gates.length ? "A candidate is a variant that a gate has judged, or that somebody proposed, since the present release." : "There is no gate for this application yet. A gate says in gatewheel.toml what a candidate has to show on a suite.";
  return h("li.empty", {}, h("h3", {}, "No candidate"), h("p.soft", {}, text), h("pre.command", {}, one.gates.length ? `gatewheel gate ${one.app} --gate ${one.gates[0]}` : '[gate.main]\nsuite = "…"\nbetter = { token-f1 = 0.0 }'));
}

function candidate(each, one) {
  const refused = verdicts.of.get(each.variant); // undefined: it is being checked
  const open = one.gates.filter((gate) => !each.decisions.some((row) => row.reason.gate === gate));
  return h(
    "li.row.plain.candidate",
    {},
    h(
      "div.row-main",
      {},
      h("p.candidate-name", {}, variant(each.variant), each.app && h("span", {}, ` app ${each.app}`), " ", each.passed && standing(refused), each.left && [" ", h("span.tag.bad", {}, "was rolled back")]),
      each.left && h("p.row-more", {}, "Rolled back ", time(each.left.created), each.left.reason.text && `: ${each.left.reason.text}`),
      each.proposed && h("p.row-more", {}, "Proposed ", time(each.proposed.created), each.proposed.author && ` by ${each.proposed.author}`, each.proposed.reason.text && `: ${each.proposed.reason.text}`),
      each.passed && refused && h("p.candidate-refused", {}, "It would be refused now: ", refused),
      each.decisions.map((row) => decision(row, true)),
      open.length > 0 && h("p.soft", {}, "Not judged yet by ", open.map((gate, at) => [at > 0 && ", ", gate])),
      one.gates.length > 0 && h("p.candidate-ask", {}, one.gates.map((gate) => h("button.button.small", { type: "button", onclick: () => askGate(one, each.app || each.variant, gate) }, each.decisions.some((row) => row.reason.gate === gate) ? "Ask the gate again" : "Ask the gate", one.gates.length > 1 && ` ${gate}`))),
    ),
    h("div.row-end", {}, each.passed && !refused ? h(each.left ? "button.button" : "button.button.primary", { type: "button", disabled: refused === undefined, onclick: () => release(each, one) }, "Release") : h("button.button.small", { type: "button", onclick: () => override(each, one, refused) }, "Release past the gate")),
  );
}

function standing(refused) {
  if (refused === undefined) return h("span.tag", { "aria-busy": "true" }, "passed, checking …");
  return refused ? h("span.tag.bad", {}, "passed, but no longer") : h("span.tag.on", {}, "may be released");
}

// A gate's word with its reasons, the heaviest first
function decision(row, spread) {
  const { gate, outcome, suite, cases, reasons, reports, settings } = row.reason;
  const [kind, word] = OUTCOMES[outcome] ?? ["", outcome];
  const sorted = [...(reasons ?? [])].sort((a, b) => WEIGHT[a.outcome] - WEIGHT[b.outcome]);
  const lines = h("ul.reasons", {}, sorted.map((one) => h(`li.${one.outcome}`, {}, h("span.reason-mark", { "aria-hidden": "true" }, MARKS[one.outcome]), h("span.away", {}, `${one.outcome}: `), one.text || `${one.rule} ${one.metric} ${one.slice}`)));
  const ranges = settings?.alpha && sorted.some((one) => / to .*\)/.test(one.text));
  const list = [lines, ranges && h("p.soft.levels", {}, `(… to …) are ${Number((100 - 200 * settings.alpha).toFixed(1))}% intervals: a demand asks one end, which errs ${Number((100 * settings.alpha).toFixed(1))} times in 100. Evaluate tells ${EVALUATED}%.`)];
  const head = [h(kind ? `span.tag.${kind}` : "span.tag", {}, word), h("span", {}, `gate ${gate}, suite ${suite}, ${plural(cases, "case")}`)];
  const link = reports?.length > 0 && h("a.above", { href: compareHref(suite, reports) }, reports.length > 1 ? "See both reports" : "See the report");
  if (spread) return h("div.decision", {}, h("p.row-facts", {}, head, time(row.created), link), list);
  return h("details.decision", { data: { key: `row ${row.number}` } }, h("summary.row-facts", {}, head, h("span", {}, plural(sorted.length, "reason"))), list, link);
}

// the incumbent is the base, and the gate names the candidate's report first
function compareHref(suite, reports) {
  return sideBySide([...reports].reverse(), { suite });
}

function how(row) {
  if (row.reason.override) return `past the gate: ${row.reason.override}`;
  if (row.reason.decisions) return `let through by ${plural(row.reason.decisions.length, "gate")} (row ${row.reason.decisions.join(", ")})`;
  return row.reason.text ?? "";
}

const DID = { promote: "released", rollback: "rolled back to", propose: "proposed", gate: "judged" };

function event(row, one) {
  const now = one.since?.number === row.number;
  return h(
    now ? "li.row.plain.event.now-row" : "li.row.plain.event",
    {},
    h("div.row-main", {}, h("p", {}, h("span.event-number", {}, `${row.number}`), h("strong", {}, `${DID[row.action] ?? row.action} `), variant(row.variant), now && [" ", h("span.tag.on", {}, "answers now")]), row.action === "gate" ? decision(row, false) : how(row) && h("p.row-more", {}, how(row))),
    h("div.row-end", {}, time(row.created), h("span", {}, row.author || "the owner"), h("span.mono", { title: `Seal of this row: ${row.hash}` }, short(row.hash))),
  );
}

function chain({ rows, head, faults }) {
  if (faults.length) return show($("chain"), h("span.problem", {}, h("strong", {}, "The history is not as it was written: "), faults.join("; ")));
  return show($("chain"), `${plural(rows, "row")} of all applications, each sealing the one before; all are as they were written. `, rows > 0 && h("span.mono", { title: `Note it elsewhere: gatewheel release verify --head ${head}` }, `head ${short(head)}`));
}

function rollBack(one) {
  const to = one.back ? `variant ${short(one.back)}, which was released before` : "what gatewheel.toml says";
  return sure({
    title: `Roll back ${one.app}?`,
    text: `From ${short(one.released)} to ${to}. New requests get it within seconds; those under way finish as they began.`,
    yes: "Roll back",
    act: (text) => done(post(`/api/releases/${encodeURIComponent(one.app)}/rollback`, { released: one.released, to: one.back || "file", text }), "Rolled back."),
  });
}

function release(each, one) {
  return sure({
    title: `Release ${short(each.variant)} for ${one.app}?`,
    text: `${plural(each.decisions.length, "gate")} let it pass. It replaces ${one.released ? short(one.released) : "what the file says"} within seconds; requests under way finish as they began.`,
    yes: "Release",
    why: "",
    act: () => done(post(`/api/releases/${encodeURIComponent(one.app)}/promote`, { variant: each.variant }), "Released."),
  });
}

function override(each, one, refused) {
  const said = each.decisions.map((row) => OUTCOMES[row.reason.outcome]?.[1] ?? row.reason.outcome);
  return sure({
    title: `Release ${short(each.variant)} past the gate?`,
    text: `${refused ? `${refused}.` : said.length ? `Its gate says: ${said.join(", ")}.` : "No gate has judged it."} Your reason stays in the history for ever.`,
    yes: "Release past the gate",
    required: true,
    act: (why) => done(post(`/api/releases/${encodeURIComponent(one.app)}/promote`, { variant: each.variant, override: why }), "Released."),
  });
}

async function done(sent, words) {
  await sent;
  forgive();
  await draw();
  setTimeout(() => draw({ again: true }), SOON);
  say(words);
}

$("app").addEventListener("change", () => location.assign(withQuery("/release", { app: $("app").value === "main" ? "" : $("app").value })));
draw();
attempt(async () => {
  const id = await underWay("gate");
  if (id) await watch(id, judged);
})();
setInterval(() => document.hidden || draw({ again: true }), EVERY);
