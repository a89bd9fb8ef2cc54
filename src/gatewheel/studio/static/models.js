// Which model, which variant: candidates of a suite in a plot and a table. Suite, quality and cost stand in the URL.

import { get, sideBySide, withQuery } from "./api.js";
import { $, attempt, forgive, h, say, show } from "./dom.js";
import { spread, value } from "./figures.js";
import { bytes, plural, seconds, short } from "./format.js";
import { plot } from "./plot.js";

const COSTS = { price: "Price", seconds: "Seconds", memory: "Memory", size: "Size on disk" };
const ALLOWED = { yes: "yes", conditions: "with conditions", no: "no", unknown: "not known" };
const CLOSE = "0.02";
let turns = 0;

function state() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(["suite", "metric", "cost", "margin"].map((name) => [name, query.get(name) ?? ""]));
}

function go(changes) {
  history.pushState(null, "", withQuery("/models", { ...state(), ...changes }));
  return look();
}

const look = attempt(async () => {
  forgive();
  const turn = ++turns; // who chooses faster than the service answers sees the last choice
  $("candidates-state").setAttribute("aria-busy", "true");
  const wanted = state();
  const found = await get("/api/evals/models", wanted).catch((error) => (error.status === 400 || error.status === 404 ? mistaken(wanted, error) : Promise.reject(error)));
  if (turn !== turns || !found) return;
  const { choice } = found;
  $("wanted").hidden = !choice;
  if (!choice) return nothing("No suite yet", "A suite is a set of questions with what you expect of their answers.", "gatewheel data import FILE --to SUITE");
  pick(found);
  for (const name of ["table", "licences", "waiting", "notes"]) $(`${name}-part`).hidden = true;
  $("front").hidden = !found.wide;
  if (!choice.candidates.length) {
    const first = choice.waiting[0];
    nothing("No candidate has a report yet", "Each application and each model becomes a candidate as soon as the suite was put to it.", first?.command ?? `gatewheel evals run ${choice.suite}`);
  } else {
    show($("candidates-state"));
    summary(choice);
    if (found.wide) drawFront(found, choice);
    part("table", [table(choice)]);
    part("licences", licences(choice));
    part("notes", choice.notes.map((text) => h("li", {}, text)));
  }
  part("waiting", choice.waiting.map(waiting));
  say(`${plural(choice.candidates.length, "candidate")} of ${choice.suite}, by ${choice.metric} against ${choice.cost}`);
});

// A link may name what is not there: the lists stand all the same, without what is wrong, and a choice leads on
async function mistaken(wanted, error) {
  const turn = turns;
  const found = await get("/api/evals/models", { suite: wanted.suite }).catch(() => get("/api/evals/models"));
  if (turn !== turns || !found.choice) return found;
  $("wanted").hidden = false;
  pick(found);
  const there = { suite: found.suites, metric: found.choice.metrics, cost: Object.keys(COSTS) };
  for (const [name, names] of Object.entries(there)) if (wanted[name]) $(name).value = names.includes(wanted[name]) ? wanted[name] : "";
  $("waiting-part").hidden = true;
  nothing("There is nothing to show", `${error.message}.`);
  say(error.message);
  return null;
}

function part(name, children) {
  $(`${name}-part`).hidden = !children.length;
  show($(name), children);
}

function nothing(heading, text, command) {
  for (const name of ["table", "licences", "notes"]) $(`${name}-part`).hidden = true;
  $("front").hidden = true;
  show($("candidates-state"), h("div.empty", {}, h("h2", {}, heading), h("p.soft", {}, text), command && h("pre.command", {}, command)));
}

function pick({ suites, choice }) {
  const options = (id, names, chosen) => $(id).replaceChildren(...names.map(([name, words]) => h("option", { value: name, selected: name === chosen }, words)));
  options("suite", suites.map((name) => [name, name]), choice.suite);
  options("metric", choice.metrics.map((name) => [name, name]), choice.metric);
  options("cost", Object.entries(COSTS), choice.cost);
  $("close").checked = choice.margin > 0;
}

function summary(choice) {
  const front = choice.candidates.filter((one) => one.front);
  const placed = choice.candidates.filter((one) => one.front !== null);
  const raw = choice.candidates.some((one) => one.quality.judged === "raw");
  const words = raw ? `None is marked: ${choice.metric} is what a judge says, raw, and that is no finding.` : placed.length ? [plural(placed.length, "candidate"), ", ", h("strong", {}, `${front.length} that nothing surely beats`), ` by ${choice.metric} and ${choice.cost}, over ${plural(choice.cases, "case")}.`] : `No candidate has a ${choice.cost} that is known.`;
  show($("summary"), words);
}

function drawFront({ wide, narrow }, choice) {
  const exact = choice.cost === "seconds" ? "Seconds differ only where the interval of their difference says so." : `The ${choice.cost} is taken as known exactly.`;
  const equal = choice.margin ? `Differences within ${choice.margin * 100}% of the range count as equal.` : "A difference that might be none beats nobody.";
  show($("front"), h("div.plot-wide", {}, plot(wide)), h("div.plot-narrow", {}, plot(narrow)), h("figcaption", {}, `Filled: nothing surely beats it. Bars are 95% intervals. ${equal} ${exact}`));
}

function table(choice) {
  const head = ["", "Candidate", `${choice.metric}, 95%`, "To the best", "First token", "Answer", "Tokens/s", "Memory", "Size", "$ per 1,000"];
  return h(
    "table.candidates",
    {},
    h("thead", {}, h("tr", {}, head.map((text, at) => h("th", { scope: "col", title: at === 4 ? "median, and 95% are faster than" : at === 5 ? "mean of whole answers" : null }, text || h("span.away", {}, "Number"))))),
    h("tbody", {}, choice.candidates.map((one) => row(one, choice))),
  );
}

function row(one, choice) {
  const speed = one.speed;
  const why = (what) => one.missing[what];
  const first = speed?.first_median ?? null;
  return h(
    one.front ? "tr.on" : "tr",
    {},
    h("td", {}, `${one.number}`, one.front && [" ", h("span.star", { title: "nothing surely beats it" }, "★"), h("span.away", {}, "nothing surely beats it")]),
    h("th", { scope: "row" }, h("a.row-link.inline", { href: sideBySide([one.report], { suite: choice.suite, metric: choice.metric }), title: `Variant ${one.variant}, report ${one.report}` }, one.name), h("span.fact", {}, [one.title, one.engine && `on ${one.engine}`].filter(Boolean).join(" "), !one.current && h("span", {}, ` · ${short(one.variant)}, not what the file says now`))),
    h("td", {}, spread(one.quality, choice), one.cases < choice.cases ? h("span.fact", { title: "it stands below those that were asked all, and beats nobody" }, h("span.tag", {}, `only ${one.cases} of ${plural(choice.cases, "case")}`)) : h("span.fact", {}, plural(one.quality.cases, "case"))),
    h("td", {}, gap(one, choice)),
    h("td", {}, first === null ? none(why("speed")) : [seconds(first), h("span.fact", {}, `p95 ${seconds(speed.first_p95)}`)]),
    h("td", {}, speed ? seconds(speed.seconds) : none(why("speed"))),
    h("td", {}, speed?.tokens_per_second ? `${Math.round(speed.tokens_per_second)}` : none(why("speed"))),
    h("td", {}, one.memory === null ? none(why("memory")) : bytes(one.memory)),
    h("td", {}, one.size === null ? none(why("size")) : bytes(one.size)),
    h("td", {}, one.price === null ? none(why("price")) : price(one.price), one.beaten_by.length > 0 && h("span.fact", {}, `beaten by ${one.beaten_by.slice(0, 3).join(", ")}${one.beaten_by.length > 3 ? " …" : ""}`)),
  );
}

// Prices are compared by their ratio: two digits, however small
function price(value) {
  return value === 0 ? "$0" : `$${value >= 1 ? value.toFixed(2) : Number(value.toPrecision(2))}`;
}

function none(why = "not measured") {
  return h("span.soft", { title: why }, "–", h("span.away", {}, why));
}

function gap(one, choice) {
  if (!one.gap) return one.number === 1 && one.quality.value !== null ? "the best" : none("no figure");
  const points = choice.bounds[0] === 0 && choice.bounds[1] === 1;
  const sign = one.gap.difference < 0 ? "−" : one.gap.difference > 0 ? "+" : "";
  const text = value(Math.abs(one.gap.difference), choice).replace(/%$/, "");
  return [`${sign}${text}${points ? " points" : ""} `, h(one.gap.verdict === "worse" ? "span.tag.bad" : one.gap.verdict === "better" ? "span.tag.on" : "span.tag", {}, one.gap.verdict)];
}

// Each licence once, with those that are under it
function licences(choice) {
  const every = new Map();
  for (const one of choice.candidates) {
    if (one.terms) every.set(one.terms.title, [...(every.get(one.terms.title) ?? []), one]);
  }
  return [...every.values()].map((under) => {
    const { terms } = under[0];
    const facts = [["commercial use", terms.commercial], ["passing it on", terms.redistribution], ["models made from it", terms.derived]];
    return h(
      "li.row.plain",
      {},
      h(
        "div.row-main",
        {},
        h("p", {}, h("strong", {}, terms.title), h("span.soft", {}, ` of ${under.map((one) => one.number).join(", ")}; so says ${terms.stated}`)),
        h("p.licence-facts", {}, facts.map(([what, allowed]) => h(allowed === "no" ? "span.tag.bad" : allowed === "yes" ? "span.tag.on" : "span.tag", {}, `${what}: ${ALLOWED[allowed]}`))),
        terms.told && h("p.soft", {}, terms.told, terms.source && [". ", h("a.above", { href: terms.source, rel: "noreferrer" }, "Its text")]),
      ),
    );
  });
}

function waiting(one) {
  return h("li.row.plain", {}, h("div.row-main", {}, h("p", {}, h("strong", {}, one.name), one.why && h("span.soft", {}, ` ${one.why}`)), h("code", {}, one.command)));
}

for (const name of ["suite", "metric", "cost"]) {
  $(name).addEventListener("change", () => go(name === "suite" ? { suite: $("suite").value, metric: "" } : { [name]: $(name).value }));
}
$("close").addEventListener("change", () => go({ margin: $("close").checked ? CLOSE : "" }));
$("wanted").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("popstate", look);
look();
