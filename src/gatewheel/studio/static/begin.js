// Where labelling begins: whose answers, by what, and who labels. Only operators can list reports; others need a link.

import { get } from "./api.js";
import { h, show } from "./dom.js";
import { plural, when } from "./format.js";

const RUBRIC = "faithful=1-4, complete=1-4";
const LONGEST = 64; // characters of a name

// go({suite, report: [ids], rubric, rater, repeats}) goes on with what was chosen; `wrong` says why `now` led nowhere
export async function begin(element, now, session, go, wrong = "") {
  if (!session.owner && !session.scopes.includes("operate")) {
    return show(element, h("div.empty", {}, h("h2", {}, "Labelling begins with a link"), wrong && h("p.problem", { role: "alert" }, `${wrong}.`), h("p.soft", {}, "Whoever runs this project chooses what is compared and sends you the address of this page with it.")));
  }
  const evals = await get("/api/evals", { limit: 200 });
  const suites = [...new Set(evals.reports.map((one) => one.suite))].sort();
  if (!suites.length) return show(element, h("div.empty", {}, h("h2", {}, "Nothing is answered yet"), h("p.soft", {}, "People label the answers of reports. Run a suite first, with two applications if they are to be compared."), h("a.button.primary", { href: "/evaluate?run" }, "Run a suite")));
  const suite = suites.includes(now.suite) ? now.suite : evals.reports.find((one) => one.id.startsWith(now.report[0] || "-"))?.suite ?? evals.reports[0].suite;
  const known = await get("/api/evals/labels/raters", { suite });
  return show(element, form(evals, suites, suite, { now, session, known, wrong }, go));
}

function form(evals, suites, suite, { now, session, known, wrong }, go) {
  const found = newest(evals.reports.filter((one) => one.suite === suite));
  const chosen = now.report.map((id) => found.find((one) => one.id.startsWith(id))?.id).filter(Boolean);
  const usual = chosen.length || wrong ? chosen : found.slice(0, 2).map((one) => one.id);
  const boxes = found.map((one) => h("input", { type: "checkbox", name: "report", value: one.id, checked: usual.includes(one.id) }));
  const pick = h("select", { id: "label-suite", onchange: (event) => go({ suite: event.target.value, report: [], item: "", rubric: "", seal: "" }) }, suites.map((name) => h("option", { selected: name === suite }, name)));
  const [compare, grade] = [["compare", !now.rubric], ["grade", Boolean(now.rubric)]].map(([value, checked]) => h("input", { type: "radio", name: "how", value, checked }));
  const rubric = h("input", { type: "text", id: "rubric", value: now.rubric || RUBRIC, maxlength: "500", spellcheck: "false", autocomplete: "off" });
  const rater = h("input", { type: "text", id: "rater", value: session.key?.name ?? now.rater.slice(0, LONGEST), readonly: Boolean(session.key), maxlength: `${LONGEST}`, autocomplete: "name", "aria-describedby": "nameless", list: "raters" });
  const nameless = h("span.problem", { id: "nameless", role: "alert" });
  const repeats = h("input", { type: "checkbox", id: "repeats", checked: now.repeats === "true" });
  const problem = h("p.problem", { role: "alert" });
  const picked = () => boxes.filter((box) => box.checked).map((box) => box.value.slice(0, 12));
  const submit = h("button.button.primary", {}, "Begin");
  const isNamed = () => {
    const named = Boolean(rater.value.trim());
    rater.setAttribute("aria-invalid", `${!named}`);
    nameless.textContent = named ? "" : "Say who you are: labels are kept by name.";
    if (!named) rater.focus();
    return named;
  };
  const what = (show_ = "") => ({ suite: "", report: picked(), rubric: grade.checked ? rubric.value.replaceAll(" ", "") : "", repeats: repeats.checked ? "true" : "", rater: session.key ? "" : rater.value.trim(), item: "", seal: "", show: show_ });
  const check = () => {
    const n = picked().length;
    const amiss = grade.checked ? (n < 1 || n > 2) && "Choose one or two." : n !== 2 && "Choose two to compare.";
    problem.textContent = amiss || "";
    submit.disabled = Boolean(amiss);
    rubric.parentElement?.toggleAttribute("hidden", !grade.checked);
    return !amiss;
  };
  const made = h(
    "form.begin",
    { onsubmit: (event) => (event.preventDefault(), check() && isNamed() && go(what())), oninput: (event) => (check(), event.target === rater && nameless.textContent && isNamed()) },
    wrong && h("p.problem", { role: "alert" }, `${wrong}.`),
    h("label.field", {}, h("span", {}, "Suite"), pick),
    h("fieldset", {}, h("legend", {}, "Whose answers"), h("p.soft", {}, "They come mixed and without names. The newest report of each variant stands here."), h("div.chips", {}, boxes.map((box, at) => chip(box, found[at])))),
    h("fieldset", {}, h("legend", {}, "How"), h("label.check", {}, compare, "Say which of two is better"), h("label.check", {}, grade, "Grade each answer by a rubric"), h("label.field.indent", { hidden: !now.rubric }, h("span", {}, "Criteria, each with its grades"), rubric), h("label.check", {}, repeats, "Each time that a case was asked, where it was asked several times")),
    h("div", {}, h("label.field", {}, h("span", {}, session.key ? "You label as your key is called" : "Your name"), rater, h("datalist", { id: "raters" }, known.map((one) => h("option", { value: one.rater })))), nameless),
    problem,
    h("div.head-actions", {}, submit, known.length > 0 && h("button.button", { type: "button", onclick: () => check() && isNamed() && go(what("results")) }, "What people said so far")),
    known.length > 0 && h("p.soft", {}, "So far: ", known.map((one, at) => `${at ? ", " : ""}${one.rater} ${plural(one.labels, "label")}`)),
  );
  check();
  return made;
}

// the newest report of each variant in each state of the suite that is the newest one's
function newest(reports) {
  const seen = new Set();
  return reports.filter((one) => one.suite_id === reports[0].suite_id && !seen.has(one.variant) && seen.add(one.variant));
}

function chip(box, one) {
  return h("label.report", {}, box, h("span.report-name", {}, one.target, h("span.report-facts", {}, `${one.variant.slice(0, 8)} · ${when(one.created)} · ${plural(one.cases, "case")}`)));
}

