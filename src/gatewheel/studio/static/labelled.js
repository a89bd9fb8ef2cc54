// What labels come to: how far people agree, who is stronger and how sure that is, drawn; and the way out as preferences.

import { withQuery } from "./api.js";
import { h, svg } from "./dom.js";
import { letter } from "./figures.js";
import { count, plural, short } from "./format.js";

const WIDTH = 320;
const EDGE = 8;

// links: {back, reports}
export function results(found, links) {
  return [
    found.tally.length > 0 && tallies(found),
    found.grades.length > 0 && graded(found),
    found.ranking.length > 0 && ranking(found),
    agreement(found),
    h("section.part", {}, h("h2", {}, "Go on"), onward(found, links)),
  ];
}

function tallies({ tally, a, b }) {
  const all = tally.length > 1 ? [{ rater: "All", a: sum(tally, "a"), b: sum(tally, "b"), ties: sum(tally, "ties") }, ...tally] : tally;
  return h("section.part", {}, h("h2", {}, "Which was better"), h("p.legend", {}, letter(0), a, " ", letter(1), b), h("ul.tallies", {}, all.map((one) => h("li", {}, h("span.tally-rater", {}, one.rater), share(one), h("span.tally-words", {}, `${count(one.a)} to ${count(one.b)}`, one.ties > 0 && `, ${count(one.ties)} as good`)))));
}

function sum(rows, name) {
  return rows.reduce((total, row) => total + row[name], 0);
}

function share({ a, b, ties }) {
  const all = a + b + ties || 1;
  const [first, middle] = [(a / all) * WIDTH, (ties / all) * WIDTH];
  const piece = (name, x, width) => width > 0 && svg(`rect.${name}`, { x, y: 0, width, height: 14 });
  return svg("svg.shares", { viewBox: `0 0 ${WIDTH} 14`, preserveAspectRatio: "none", "aria-hidden": "true" }, piece("side-a", 0, first), piece("share-ties", first, middle), piece("side-b", first + middle, WIDTH - first - middle));
}

function ranking({ ranking: rows, level }) {
  const ends = rows.flatMap((one) => [one.low, one.high, one.strength]).filter((end) => end !== null);
  const most = Math.max(1, ...ends.map(Math.abs)) * 1.1;
  const facts = (one) => `${signed(one.strength)} [${end(one.low)}, ${end(one.high)}]`;
  return h("section.part", {}, h("h2", {}, "Who is stronger"), h("p.soft", {}, `Strengths of Bradley and Terry in logits, 0 on average, with ${Math.round(level * 100)}% intervals. One that is stronger by 1 is preferred 73 times in 100.`), h("ul.forest", {}, rows.map((one) => h("li", {}, h("span.forest-name", {}, one.target || "no longer known", h("span.mono.soft", {}, ` ${short(one.variant)}`)), strip(one.strength, one.low, one.high, [-most, most], 0), h("span.forest-words", {}, h("strong", {}, facts(one)), h("span.soft", {}, ` ${plural(one.matches, "comparison")}`)))), scale("weaker", "average", "stronger")), rows.some((one) => one.low === null || one.high === null) && h("p.soft", {}, "A ? is not bounded yet: with so few cases, or where one always won, nobody knows by how much. More labels tell."));
}

function agreement({ agreement: rows, raters }) {
  const who = raters.map((one) => `${one.rater} (${count(one.labels)})`).join(", ");
  if (!rows.length) return h("section.part", {}, h("h2", {}, "How far people agree"), h("p.soft", {}, `No two people labelled the same answers yet. So far: ${who || "nobody"}.`));
  return h("section.part", {}, h("h2", {}, "How far people agree"), h("p.soft", {}, `Krippendorff's alpha: 1 is perfect, 0 is chance. Labels: ${who}.`), h("ul.forest", {}, rows.map((one) => h("li", {}, h("span.forest-name", {}, one.question === "better" ? "which is better" : one.question), one.alpha === null ? h("span") : strip(one.alpha, one.low, one.high, [-1, 1], 0), h("span.forest-words", {}, h("strong", {}, one.alpha === null ? "nothing could disagree" : `${end(one.alpha)} [${end(one.low)}, ${end(one.high)}]`), h("span.soft", {}, ` ${one.units} rated by two or more`, one.kappa !== null && `, Cohen's kappa ${end(one.kappa)}`)))), scale("−1", "0, chance", "1, perfect")));
}

function scale(...words) {
  return h("li.forest-scale", { "aria-hidden": "true" }, h("span", {}, words.map((word) => h("span", {}, word))));
}

function graded({ grades }) {
  return h("section.part", {}, h("h2", {}, "Grades"), h("ul.forest", {}, grades.map((one) => h("li", {}, h("span.forest-name", {}, `${one.criterion} `, h("span.soft", {}, one.target || short(one.variant))), strip(one.mean, one.low, one.high, [one.least, one.most], null), h("span.forest-words", {}, h("strong", {}, `${one.mean.toFixed(2)} [${end(one.low)}, ${end(one.high)}]`), h("span.soft", {}, ` of ${one.most}, ${plural(one.items, "answer")}`))))));
}

// A point with its interval; an end that is not bounded runs out of the picture with an arrow
function strip(value, low, high, [least, most], middle) {
  const x = (number) => ((Math.min(most, Math.max(least, number)) - least) / (most - least || 1)) * (WIDTH - 2 * EDGE) + EDGE;
  const [left, right] = [low === null ? 0 : x(low), high === null ? WIDTH : x(high)];
  const arrow = (at, way) => svg("path", { d: `M${at + 6 * way} 3 L${at} 8 L${at + 6 * way} 13` });
  return svg(
    "svg.strip.side-a.forest-strip",
    { viewBox: `0 0 ${WIDTH} 16`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line.strip-track", { x1: 0, x2: WIDTH, y1: 8, y2: 8 }),
    middle !== null && svg("line.strip-middle", { x1: x(middle), x2: x(middle), y1: 0, y2: 16 }),
    svg("line", { x1: left, x2: right, y1: 8, y2: 8 }),
    low === null && arrow(1, 1),
    high === null && arrow(WIDTH - 1, -1),
    svg("rect", { x: x(value) - 2.5, y: 1.5, width: 5, height: 13, rx: 1 }),
  );
}

function onward({ suite, preferences, split }, { back, reports }) {
  const held = split === "holdout" ? " The cases are held out: what trains on them cannot be measured by them." : "";
  return [
    preferences !== null && h("p.soft", {}, preferences ? `${plural(preferences, "preference")} that most raters share, as chosen and rejected answers.${held}` : "There are no preferences to export yet: ties and splits are left out."),
    h("div.head-actions.wrap", {}, preferences > 0 && h("a.button.primary", { href: withQuery("/api/evals/labels/export", { suite }), download: "" }, "Download preferences"), h("a.button", { href: reports }, "See the reports"), h("a.button", { href: back }, "Back to the sheet"), h("a.button", { href: withQuery("/label", { suite }) }, "Label others")),
  ];
}

function signed(number) {
  return `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;
}

function end(number) {
  return number === null ? "?" : `${number < 0 ? "−" : ""}${Math.abs(number).toFixed(2)}`;
}
