// Metrics of reports side by side: `64% ± 5% (n=100)`, drawn on one scale, and in words how sure a difference is.

import { h, svg } from "./dom.js";
import { count } from "./format.js";

const LETTERS = "ABCDEF";
const WIDTH = 200;
const LOPSIDED = 1.75; // one side of an interval by the other, from which on ± would say what is not so
const NO_FINDING = "what a judge says is no finding before people's grades correct it";
const VERDICTS = { better: "on", worse: "bad", equivalent: "", inconclusive: "" };

// The badge of a report: its colour and its letter; −1 is none
export function letter(at) {
  return h(`span.letter${at < 0 ? "" : `.side-${LETTERS[at].toLowerCase()}`}`, { "aria-hidden": at < 0 ? "true" : null }, at < 0 ? "+" : LETTERS[at]);
}

// A number in the unit of its metric: what lies between 0 and 1 is a share
export function value(number, { bounds }) {
  if (number === null || number === undefined) return "–";
  if (isShare(bounds)) return `${digits(number * 100, 1)}%`;
  return Math.abs(number) >= 1000 ? count(number) : number.toPrecision(3).replace(/\.?0+$/, "");
}

// 64% ± 5%; where the interval lies unevenly, as near 0 and 100%, its ends: 98% [92, 99]
export function spread(figure, metric) {
  if (figure.value === null) return "not measured";
  const it = value(figure.value, metric);
  if (figure.low === null || figure.high === null) return `${it} ± ?`;
  const [below, above] = [figure.value - figure.low, figure.high - figure.value];
  if (Math.max(below, above) > LOPSIDED * Math.min(below, above) && below !== above) return `${it} [${[figure.low, figure.high].map((end) => value(end, metric).replace("%", "")).join(", ")}]`;
  const half = (below + above) / 2;
  return `${it} ± ${isShare(metric.bounds) ? `${digits(half * 100, half < 0.0195 ? 1 : 0)}%` : Number(half.toPrecision(2))}`;
}

export function card(metric, { reports }, { on, link }) {
  const scale = scaleOf([metric]);
  return h(
    on ? "article.measure.on" : "article.measure",
    {},
    h("h3", {}, link(metric.metric), raw(metric.figures[0]) && h("span.measure-better", { title: NO_FINDING }, "a judge's, raw"), h("span.measure-better", { title: `${metric.better} is better` }, metric.better === "higher" ? "higher is better" : "lower is better")),
    h("ul.measure-rows", {}, metric.figures.map((figure, at) => h(
      "li",
      {},
      letter(at),
      h("span.measure-figure", { title: ends(figure, metric) }, h("strong", {}, spread(figure, metric)), h("span.soft", {}, ` (n=${count(figure.cases)})`), h("span.away", {}, `, ${reports[at].target}, ${ends(figure, metric)}`)),
      strip(figure, at, scale),
    ))),
    metric.differences.map((one, at) => one && difference(one, at, metric)),
  );
}

// B − A: +6 points (−1 to +13), p = .08 — inconclusive
function difference(one, at, metric) {
  const between = one.low === null || one.high === null ? "" : ` (${signed(one.low, metric, "")} to ${signed(one.high, metric, "")})`;
  const kind = VERDICTS[one.verdict];
  return h(
    "p.measure-difference",
    {},
    `${LETTERS[at]} − A `,
    h("strong", {}, signed(one.difference, metric)),
    `${between} `,
    h(kind ? `span.tag.${kind}` : "span.tag", {}, one.verdict),
    h("span.soft", {}, ` ${[`p\u00a0${probability(one.p)}`, more(one)].filter(Boolean).join(" · ")}`),
  );
}

export function slices(rows, { reports }, link) {
  const several = reports.length > 1;
  return h(
    "table.slice-table",
    {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Slice"), reports.map((report, at) => h("th", { scope: "col", title: report.target }, letter(at))), several && reports.slice(1).map((_, at) => h("th", { scope: "col" }, `${LETTERS[at + 1]} − A`)))),
    h("tbody", {}, rows.map((row) => h(
      "tr",
      {},
      h("th", { scope: "row" }, link(row.slice)),
      row.figures.map((figure) => h("td", { title: ends(figure, row) }, spread(figure, row), h("span.soft", {}, ` (n=${count(figure.cases)})`))),
      several && row.differences.slice(1).map((one) => h("td", {}, one && [signed(one.difference, row), " ", h(VERDICTS[one.verdict] ? `span.tag.${VERDICTS[one.verdict]}` : "span.tag", { title: more(one) }, one.verdict)])),
    ))),
  );
}

const raw = (one) => one.judged === "raw";

function more(one) {
  if (raw(one)) return NO_FINDING;
  if (one.verdict !== "inconclusive") return "";
  if (!one.cases_needed) return "no number of cases in sight would settle it";
  return `about ${count(rounded(one.cases_needed))} more ${one.cases_needed === 1 ? "case" : "cases"} would settle it`;
}

function rounded(cases) {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(cases)) - 1); // an estimate: two leading digits
  return Math.ceil(cases / unit) * unit;
}

function ends(figure, metric) {
  if (figure.low === null || figure.high === null) return "no interval";
  return `95% interval: ${value(figure.low, metric)} to ${value(figure.high, metric)}`;
}

function strip(figure, at, [low, high]) {
  if (figure.value === null) return null;
  const x = (number) => ((number - low) / (high - low || 1)) * (WIDTH - 10) + 5;
  const sides = figure.low === null || figure.high === null ? null : svg("line", { x1: x(figure.low), x2: x(figure.high), y1: 7, y2: 7 });
  return svg(`svg.strip.side-${LETTERS[at].toLowerCase()}`, { viewBox: `0 0 ${WIDTH} 14`, preserveAspectRatio: "none", "aria-hidden": "true" }, svg("line.strip-track", { x1: 0, x2: WIDTH, y1: 7, y2: 7 }), sides, svg("rect", { x: x(figure.value) - 2, y: 1, width: 4, height: 12, rx: 1 }));
}

function scaleOf(metrics) {
  const [{ bounds }] = metrics;
  if (isShare(bounds)) return bounds;
  const all = metrics.flatMap(({ figures }) => figures.flatMap((one) => [one.value, one.low, one.high])).filter((one) => one !== null);
  const low = Math.min(...all, bounds[0] ?? Infinity);
  const high = Math.max(...all);
  return [low, high > low ? high : low + 1];
}

function isShare(bounds) {
  return bounds[0] === 0 && bounds[1] === 1;
}

function signed(number, metric, unit = " points") {
  const text = value(Math.abs(number), metric).replace(/%$/, "");
  return `${number < 0 ? "−" : number > 0 ? "+" : ""}${text}${isShare(metric.bounds) ? unit : ""}`;
}

function probability(p) {
  if (p > 0.9995) return "=\u00a01";
  return p < 0.001 ? "<\u00a0.001" : `=\u00a0${p.toFixed(3).replace(/^0/, "")}`;
}

function digits(number, most) {
  return Math.abs(number) >= 9.95 || number === 0 ? `${Math.round(number)}` : `${Number(number.toFixed(most))}`;
}
