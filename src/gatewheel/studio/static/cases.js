// Cases of reports, the answers interleaved. One press opens a case: all numbers, and what each answer has otherwise.

import { difference } from "./difference.js";
import { h } from "./dom.js";
import { letter, value } from "./figures.js";

// options: {metrics, metric, score(number), open: the id of a case, toggle(id or "")}
export function cases(found, options) {
  return found.map((one) => item(one, options));
}

function item(one, options) {
  const id = one.repeat ? `${one.case}#${one.repeat}` : one.case;
  const line = h("li.case", { onclick: (event) => {
    const meant = !event.target.closest("a, button") && String(getSelection()) === "";
    if (meant && !line.querySelector("[aria-expanded=true]")) line.querySelector("button").click(); // what is open is read, and closes by its question
  } });
  const draw = (open) => line.replaceChildren(question(one, open, () => {
    draw(!open);
    line.querySelector("button").focus({ preventScroll: true });
    options.toggle(open ? "" : id);
  }), h("ol.sides", {}, open && expected(one), one.given.map((given, at) => side(one, given, at, open, options))));
  draw(options.open === id);
  return line;
}

function question(one, open, press) {
  return h(
    "div.case-head",
    {},
    h("button.row-link.case-question", { type: "button", "aria-expanded": `${open}`, onclick: press }, one.question || "(no question)", one.repeat > 0 && h("span.soft", {}, ` (time ${one.repeat + 1})`)),
    h("span.row-facts", {}, one.tags.map((tag) => h("span.tag", {}, tag))),
  );
}

function expected(one) {
  return h("li.side.expected", {}, h("span.side-label", {}, "right"), h("p.side-answer", {}, one.expected.length ? one.expected.join(" | ") : "nothing is written down"), h("span"));
}

function side(one, given, at, open, { metrics, metric, score }) {
  if (!given) return h("li.side", {}, letter(at), h("p.side-answer.soft", {}, "was not asked"), h("span"));
  const first = one.given[0];
  const compare = open && at > 0 && given.answer !== null && first?.answer;
  const marked = compare ? difference(first.answer, given.answer) : null;
  const numbers = given.values[metric];
  const alike = at > 0 && !given.error && given.answer === first?.answer; // what is said again steps back, so that the rest stands out
  const said = marked ?? (given.answer || (given.error ? "" : "(nothing)"));
  return h(
    "li.side",
    {},
    letter(at),
    h(
      "div",
      {},
      h(`p.side-answer${open ? "" : ".short"}${alike ? ".soft" : ""}`, {}, given.abstained && [h("span.tag", {}, "abstained"), " "], given.error ? h("span.problem", {}, given.error) : said),
      open && compare && !marked && h("p.soft", {}, "the same words as A"),
      open && h("dl.numbers", {}, metrics.map((each) => given.values[each.metric] !== undefined && h("div", {}, h("dt", {}, each.metric), h("dd", {}, several(given.values[each.metric], each))))),
    ),
    h("span.side-score", { title: metric }, numbers?.length === 1 ? score(numbers[0]) : numbers ? "" : "–"),
  );
}

function several(numbers, metric) {
  if (!numbers) return "does not apply";
  return numbers.length === 1 ? value(numbers[0], metric) : "counts towards the figure";
}
