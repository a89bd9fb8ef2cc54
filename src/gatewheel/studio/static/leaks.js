// What of the cases stands in the training data too: a line that says so, and each figure without them.

import { h } from "./dom.js";
import { letter, spread } from "./figures.js";
import { count, plural } from "./format.js";

export function leaks({ leaks: told, without, differences }, { metrics }) {
  const unread = told.unread.map((reason) => h("p.problem", {}, `Not looked through for leaks: ${reason}`));
  if (!told.cases) return unread;
  const where = told.hits.length ? [...new Set(told.hits.map((hit) => hit.source))] : told.sources;
  const ways = told.vectors ? "" : " Looked for by words alone; gatewheel evals show compares vectors too.";
  return [
    ...unread,
    h("p", {}, h("strong", {}, `${plural(told.cases, "case")} ${told.cases === 1 ? "is" : "are"} in the training data too`), ` (${where.join(", ")}).${ways} Without:`),
    h("table.slice-table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Metric"), without.map((_, at) => h("th", { scope: "col" }, letter(at))), differences.map((_, at) => h("th", { scope: "col" }, `${"BCDEF"[at]} − A`)))),
      h("tbody", {}, metrics.map((metric) => row(metric, without, differences)))),
    told.hits.length > 0 && h("details", {}, h("summary", {}, "Which cases"), h("ul.leaks", {}, told.hits.map(hit))),
  ];
}

function row(metric, without, differences) {
  const mine = (rows) => rows.find((one) => one.metric === metric.metric);
  return h("tr", {},
    h("th", { scope: "row" }, metric.metric),
    without.map((rows) => {
      const { rest, every } = mine(rows);
      return h("td", { title: `with them: ${spread(every, metric)} (n=${count(every.cases)})` }, spread(rest, metric), h("span.soft", {}, ` (n=${count(rest.cases)})`));
    }),
    differences.map((rows) => h("td", {}, mine(rows)?.verdict ?? "–")));
}

function hit(one) {
  return h("li", {}, h("span.tag", {}, `${one.kind} ${one.score.toFixed(2)}`), ` ${one.question} `, h("span.soft", {}, `${one.source}: ${one.other_question}`));
}
