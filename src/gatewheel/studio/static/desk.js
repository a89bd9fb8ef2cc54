// An item that is labelled: the question with what came with it, the answers, and what is pressed. Knows no names.

import { documentHref } from "./api.js";
import { h } from "./dom.js";

const JOINER = "\u2060"; // no line begins with the full stop behind a number

// Which of two answers is better. choose({better}) is called with 1, 2, or 0 for neither.
export function pair(shown, choose) {
  const { element, heading, why } = sheet(shown, shown.answers.map((one, at) => answer(one, `Answer ${at + 1}`, `${at + 1}`)));
  const button = (better, key, words) => h("button.button.choice", { type: "button", data: { better: `${better}` }, "aria-pressed": "false", onclick: () => choose({ better }) }, h("kbd", {}, key), ` ${words}`);
  const all = [button(1, "1", "is better"), button(0, "0", "as good"), button(2, "2", "is better")];
  element.append(h("div.choices-bar", { role: "group", "aria-label": "Which answer is better" }, all));
  const mark = ({ better }) => {
    all.forEach((each) => each.setAttribute("aria-pressed", `${Number(each.dataset.better) === better && better !== undefined && better !== null}`));
    element.querySelectorAll(".spoken").forEach((each, at) => each.classList.toggle("chosen", at + 1 === better));
  };
  const press = (key) => {
    const better = { left: 1, right: 2, 0: 0, 1: 1, 2: 2 }[key];
    if (better !== undefined) choose({ better });
  };
  return { element, heading, why, mark, press };
}

// One answer by a rubric. choose({scores}) is called as soon as every criterion has its grade.
export function grades(shown, criteria, choose) {
  const { element, heading, why } = sheet(shown, [answer(shown.answers[0], "Answer", "")]);
  const scores = {};
  let line = 0;
  const rows = criteria.map((one, at) => h("div.grade", { role: "group", "aria-label": one.name }, h("span.grade-name", {}, one.name), h("div.grade-keys", {}, range(one).map((grade) => h("button.button.small", { type: "button", "aria-pressed": "false", "aria-label": `${one.name}: ${grade}`, onclick: () => set(at, grade) }, `${grade}`)))));
  const draw = () => rows.forEach((row, at) => {
    row.classList.toggle("now", at === line);
    row.querySelectorAll("button").forEach((button, n) => button.setAttribute("aria-pressed", `${scores[criteria[at].name] === criteria[at].low + n}`));
  });
  const set = (at, grade) => {
    const { name, low, high } = criteria[at];
    if (grade < low || grade > high) return;
    scores[name] = grade;
    line = (at + 1) % criteria.length;
    draw();
    if (criteria.every((one) => one.name in scores)) choose({ scores: { ...scores } });
  };
  const press = (key) => {
    if (key === "left" || key === "right") line = (line + (key === "left" ? criteria.length - 1 : 1)) % criteria.length;
    else set(line, key);
    draw();
  };
  const mark = (said) => {
    for (const one of criteria) delete scores[one.name];
    Object.assign(scores, said.scores ?? {});
    draw();
  };
  element.append(h("div.grades", {}, rows));
  draw();
  return { element, heading, why, mark, press };
}

function range({ low, high }) {
  return Array.from({ length: high - low + 1 }, (_, n) => low + n);
}

function sheet(shown, answers) {
  const heading = h("h2.asked", { tabindex: "-1" }, shown.question || "(no question)");
  const field = h("input", { type: "text", maxlength: "2000", value: shown.given?.comment ?? "", placeholder: "Why (if you like)", "aria-label": "Why, kept with your label" });
  const element = h(
    "article.item",
    {},
    shown.history.length > 0 && h("ol.turns", { "aria-label": "What was said before" }, shown.history.map((turn) => h("li", {}, h("span.turn-role", {}, turn.role), h("p", {}, turn.content)))),
    heading,
    shown.choices.length > 0 && h("ol.options", {}, shown.choices.map((choice) => h("li", {}, choice))),
    shown.expected.length > 0 && h("p.expected-answer", {}, h("span.soft", {}, "Expected: "), shown.expected.join(" | ")),
    shown.evidence.length > 0 && h("p.expected-answer", {}, h("span.soft", {}, "Because: "), shown.evidence.map((words) => h("q", {}, words))),
    shown.context && h("details.context", {}, h("summary", {}, "The text that the question is about"), h("p", {}, shown.context)),
    h(answers.length > 1 ? "div.answers.two" : "div.answers", {}, answers),
  );
  return { element, heading, why: { element: h("div.why", {}, field), value: () => field.value.trim() } };
}

function answer({ text, abstained, citations }, name, badge) {
  return h(
    "section.spoken",
    { "aria-label": name },
    badge && h("span.badge", { "aria-hidden": "true" }, badge),
    h("p.spoken-text", {}, abstained && [h("span.tag", {}, "abstained"), " "], text ? marked(text, citations) : h("span.soft", {}, "(nothing)")),
    citations.length > 0 && h("ol.quotes", { "aria-label": "What it cites" }, citations.map((one) => h("li", {}, h("span.cited-n", { "aria-hidden": "true" }, `${one.n}`), h("div", {}, h("blockquote", {}, one.quote), h("a.cited-source", { href: documentHref(one.source, one.span), target: "_blank", rel: "noopener" }, one.source, one.page && `, page ${one.page}`))))),
  );
}

function marked(text, citations) {
  const known = new Set(citations.map((one) => one.n));
  return text.split(/(\[\d+\])/).filter(Boolean).map((piece) => (/^\[\d+\]$/.test(piece) && known.has(Number(piece.slice(1, -1))) ? [h("span.mark-n", {}, piece.slice(1, -1)), JOINER] : piece));
}
