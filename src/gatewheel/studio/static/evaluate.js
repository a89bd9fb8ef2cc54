// Reports side by side. Every choice stands in the URL: the suite, the reports, the metric, the slice, the open case.

import { get, sideBySide } from "./api.js";
import { ask, underWay, watch } from "./asking.js";
import { cases } from "./cases.js";
import { $, attempt, forgive, h, say, show } from "./dom.js";
import { card, letter, slices, value } from "./figures.js";
import { count, fullTime, plural, short, when } from "./format.js";
import { leaks } from "./leaks.js";
import { words } from "./progress.js";

const MOST = 6;
const SIZE = 20;
const FIELDS = ["suite", "metric", "slice", "show", "case", "page"];
const SHOW = { "": "All", differ: "Where they differ", errors: "With an error" };
const compared = new Map();
let evals = null;
let turns = 0;
let shown = { suite: "", reports: [] };

function state() {
  const query = new URLSearchParams(location.search);
  const chosen = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""]));
  return { ...chosen, report: query.getAll("report").filter(Boolean) };
}

function href(changes) {
  const { report, ...rest } = { ...state(), ...changes };
  return sideBySide(report, rest);
}

// A choice as a link that works by itself and without a new page
function choice(what, changes, props, ...children) {
  return h(what, { ...props, href: href(changes), onclick: (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(changes);
  } }, ...children);
}

function go(changes) {
  const name = document.activeElement?.dataset?.keep;
  history.pushState(null, "", href(changes));
  return look().then(() => name && document.querySelector(`[data-keep="${CSS.escape(name)}"]`)?.focus({ preventScroll: true }));
}

const look = attempt(async () => {
  forgive();
  const now = state();
  const turn = ++turns; // who chooses faster than the service answers sees the last choice
  evals ??= await get("/api/evals", { limit: 200 });
  const suite = named(now.report[0])?.suite || now.suite || evals.reports[0]?.suite || evals.suites[0]?.name || ""; // a report knows best
  const mine = evals.reports.filter((one) => one.suite === suite);
  const chosen = now.report.length ? now.report : usual(mine);
  shown = { suite, reports: chosen };
  pickSuite(suite);
  actions(suite, chosen);
  if (!mine.length && !now.report.length) return nothing(suite);
  drawChips(mine, chosen);
  const query = chosen.map((id) => ["report", id]);
  $("figures-part").hidden = false;
  const found = await once(`/api/evals/compare?${new URLSearchParams(query)}`, "figures");
  if (turn !== turns) return;
  if (found.reports[0].suite !== suite) { // an older report than those of the list
    evals.reports.push(...found.reports);
    return look();
  }
  const metric = found.metrics.some((one) => one.metric === now.metric) ? now.metric : found.metrics[0]?.metric ?? "";
  drawFigures(found, metric);
  const leaked = drawLeaks(`/api/evals/leaks?${new URLSearchParams(query)}`, found, () => turn === turns);
  // a thousand cases in slices take a second or more, and the answers need not wait for it
  const sliced = once(`/api/evals/slices?${new URLSearchParams([...query, ["metric", metric]])}`, "slices").then((one) => turn === turns && drawSlices(one.slices, found, metric, now.slice));
  const listed = rows(query, metric, now).then((told) => turn === turns && drawCases(told, found, metric, now));
  await Promise.all([listed, sliced, leaked]);
});

// What was computed of reports stays right, since they never change; `name` is the part of the page that waits for it
async function once(path, name) {
  if (compared.has(path)) return compared.get(path);
  $(name).setAttribute("aria-busy", "true");
  try {
    compared.set(path, await get(path));
    return compared.get(path);
  } catch (error) {
    $(`${name}-part`).hidden = true;
    throw error;
  } finally {
    $(name).removeAttribute("aria-busy");
  }
}

function named(id) {
  return id ? evals.reports.find((one) => one.id.startsWith(id)) : null;
}

// the newest report and the newest one of another variant in the same state of the suite, the older one as the base
function usual(mine) {
  const [first, ...rest] = mine;
  const other = first && rest.find((one) => one.suite_id === first.suite_id && one.variant !== first.variant);
  return [other, first].filter(Boolean).map((one) => one.id.slice(0, 12));
}

function pickSuite(suite) {
  const names = [...new Set([...evals.suites.map((one) => one.name), ...evals.reports.map((one) => one.suite)])].sort();
  const told = evals.suites.find((one) => one.name === suite);
  $("suite").replaceChildren(...names.map((name) => h("option", {}, name)));
  $("suite").value = suite; // none of them where a link names what is not there
  $("suite-pick").hidden = !names.length;
  const facts = told?.fault || (told && [plural(told.cases, "case"), `asked of ${told.target}`, told.split, told.metrics.join(", ")].join(" · "));
  if (facts) show($("summary"), told.fault ? h("span.problem", {}, facts) : facts);
  else if (names.includes(suite)) show($("summary"), "This suite is no longer in the project; its reports are.");
  else show($("summary"), names.length ? "Choose a suite of the list." : "Reports of how suites were answered, side by side, with how sure each number is.");
}

// What can be done with the suite and with what is chosen of it
function actions(suite, chosen) {
  $("ask").hidden = !mayRun(suite);
  $("ask").onclick = attempt(() => ask(suite, made));
  $("label").hidden = chosen.length !== 2;
  $("label").href = `/label?${new URLSearchParams(chosen.map((id) => ["report", id.slice(0, 12)]))}`;
}

function mayRun(suite) {
  return evals.suites.some((one) => one.name === suite && !one.fault);
}

// A run is over. What somebody reads stays; its reports are offered, one beside A, unless they are of another suite
async function made(run) {
  const { suite, reports: read } = shown;
  if (read.length) history.replaceState(null, "", href({ suite, report: read })); // else the newest two would take their place
  evals = null;
  await look();
  const reports = (run.result?.reports ?? []).filter((id) => named(id)?.suite === suite);
  if (run.state !== "done" || reports.every((id) => read.some((one) => id.startsWith(one)))) return;
  const alike = named(read[0])?.suite_id === named(reports[0]).suite_id;
  const base = reports.length > 1 || !alike ? [] : read.slice(0, 1).filter((id) => !reports[0].startsWith(id));
  const changes = { suite, report: [...base, ...reports].slice(0, MOST).map((id) => id.slice(0, 12)), case: "", page: "" };
  if (!read.length) {
    await go(changes);
    return;
  }
  const text = reports.length > 1 ? "See them side by side" : base.length ? "See it beside A" : "See it";
  const link = h("a.button.small", { href: href(changes), onclick: (event) => (event.preventDefault(), $("run").hidden = true, go(changes)) }, text);
  show($("run"), h("div.run-now", {}, h("p.run-about", {}, run.about), h("p.run-end", {}, h("span", {}, words(run)), link, h("button.button.small", { type: "button", onclick: () => ($("run").hidden = true) }, "Later"))));
}

function nothing(suite) {
  for (const name of ["figures", "slices", "cases"]) $(`${name}-part`).hidden = true;
  const told = evals.suites.find((one) => one.name === suite);
  if (suite && !told) return show($("chips"), h("div.empty", {}, h("h2", {}, `There is no suite ${suite}`), h("p.soft", {}, "Neither the project nor a report has one of this name. It may have been renamed.")));
  const heading = suite ? "No report of this suite yet" : "No suite yet";
  const text = suite ? "A report has the score of every case, each answer, and how sure the figures are. What was answered once is not asked again." : "A suite is a set of questions with what you expect of their answers. It judges every change you make.";
  const run = mayRun(suite) && h("button.button.primary", { type: "button", onclick: () => $("ask").click() }, "Run the suite");
  const command = suite ? `gatewheel evals run ${suite}` : "gatewheel data import FILE --to SUITE";
  return show($("chips"), h("div.empty", {}, h("h2", {}, heading), h("p.soft", {}, text), h("pre.command", {}, command), run));
}

function drawChips(mine, chosen) {
  const at = (one) => chosen.findIndex((id) => one.id.startsWith(id));
  const base = named(chosen[0]);
  const legend = [...mine].sort((one, two) => (at(one) + 1 || MOST + 1) - (at(two) + 1 || MOST + 1)); // the chosen ones first, A before B
  show($("chips"), legend.map((one) => {
    const place = at(one);
    const on = place >= 0;
    const other = !on && base && one.suite_id !== base.suite_id; // scored on other cases, or by other metrics
    const full = !on && chosen.length >= MOST;
    const next = on ? chosen.filter((_, index) => index !== place) : other ? [one.id] : [...chosen, one.id];
    const facts = [short(one.variant), when(one.created), plural(one.cases, "case"), one.errors && `${count(one.errors)} failed`].filter(Boolean).join(" · ");
    const inside = [letter(on ? place : -1), h("span.report-name", {}, one.target, h("span.report-facts", {}, facts, other && " · older state"))];
    const title = `${fullTime(one.created)}, variant ${one.variant}, report ${one.id}`;
    if (full || (on && chosen.length === 1)) return h(on ? "span.report.on" : "span.report.off", { title }, inside);
    return choice(on ? "a.report.on" : "a.report", { report: next, case: "", page: "" }, { title, "aria-current": on ? "true" : null, data: { keep: one.id } }, inside);
  }));
}

function drawFigures(found, metric) {
  const level = Math.round(found.level * 100);
  show($("figures-level"), `± and ranges are ${level}% intervals, of a figure and of a difference alike. A gate tells narrower ones, 90% unless its alpha says otherwise: it asks one end only.`);
  show($("figures"), found.metrics.map((one) => card(one, found, {
    on: one.metric === metric,
    link: (...children) => choice("a.measure-name", { metric: one.metric, page: "" }, { "aria-current": one.metric === metric ? "true" : null, data: { keep: `metric ${one.metric}` } }, ...children),
  })));
}

function drawSlices(rows, found, metric, chosen) {
  $("slices-part").hidden = !rows.length;
  const link = (tag) => choice("a", { slice: tag === chosen ? "" : tag, case: "", page: "" }, { "aria-current": tag === chosen ? "true" : null, data: { keep: `slice ${tag}` } }, tag);
  show($("slices"), slices(rows, found, link));
  $("slices-title").textContent = `Slices by ${metric}`;
}

// What is trained on may change under reports that never do, so this is asked anew; of others nothing stays meanwhile
async function drawLeaks(path, found, wanted) {
  if ($("leaks").dataset.of !== path) $("leaks").hidden = true;
  $("leaks").dataset.of = path;
  try {
    const told = leaks(await get(path), found);
    if (!wanted()) return;
    show($("leaks"), told);
    $("leaks").hidden = !told.length;
  } catch (error) {
    if (wanted()) $("leaks").hidden = true;
    throw error;
  }
}

function pageOf(now) {
  return Math.max(1, Number.parseInt(now.page, 10) || 1);
}

async function rows(query, metric, now) {
  const wanted = { metric, slice: now.slice, show: SHOW[now.show] ? now.show || "all" : "all", offset: (pageOf(now) - 1) * SIZE, limit: SIZE };
  try {
    return await get(`/api/evals/rows?${new URLSearchParams([...query, ...Object.entries(wanted)])}`);
  } catch (error) {
    if (error.code === "insufficient_groups") return { hidden: error.message };
    throw error;
  }
}

function drawCases(told, found, metric, now) {
  $("cases-part").hidden = false;
  $("show").hidden = Boolean(told.hidden);
  if (told.hidden) {
    $("cases-summary").textContent = told.hidden;
    return $("cases").replaceChildren();
  }
  const several = found.reports.length > 1;
  show($("show"), Object.entries(SHOW).filter(([name]) => several || name !== "differ").map(([name, words]) => choice("a.button.small", { show: name, page: "", case: "" }, { "aria-current": (SHOW[now.show] ? now.show : "") === name ? "true" : null, data: { keep: `show ${name}` } }, words)));
  const which = [now.slice && `of ${now.slice}`, now.show === "differ" && `where ${metric} differs, the largest first`, now.show === "errors" && "with an error"].filter(Boolean).join(", ");
  show($("cases-summary"), plural(told.total, "case"), " ", which, now.slice && [" · ", choice("a", { slice: "", page: "" }, {}, "all slices")]);
  const bounds = found.metrics.find((one) => one.metric === metric);
  show($("cases"), cases(told.cases, { metrics: found.metrics, metric, score: (number) => value(number, bounds), open: now.case, toggle: (id) => {
    history.replaceState(null, "", href({ case: id }));
  } }));
  const page = pageOf(now);
  const last = Math.max(1, Math.ceil(told.total / SIZE));
  $("paging").hidden = last === 1;
  const leaf = (to, words) => (to < 1 || to > last ? h("span") : choice("a", { page: to === 1 ? "" : `${to}`, case: "" }, { data: { keep: words } }, words));
  $("paging").replaceChildren(leaf(page - 1, "Previous"), h("span", {}, `Page ${page} of ${last}`), leaf(page + 1, "Next"));
  say(`${plural(told.total, "case")} ${which}`);
}

$("suite").addEventListener("change", () => go({ suite: $("suite").value, report: [], metric: "", slice: "", case: "", page: "" }));
window.addEventListener("popstate", look);
look().then(attempt(async () => {
  if (new URLSearchParams(location.search).has("run") && !$("ask").hidden) $("ask").click();
  const id = await underWay("evaluate");
  if (id) await watch(id, made);
}));
