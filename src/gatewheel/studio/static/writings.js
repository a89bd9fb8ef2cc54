// What a model writes while it is tuned: the same questions at each look, so that one sees it change.

import { h } from "./dom.js";

const FEW = 12; // looks that each have a button

export function writings() {
  const places = h("div.choices.look-choices", { role: "group", "aria-label": "At which step" });
  const list = h("ul.samples");
  const element = h("section.part", { "aria-label": "What it writes", hidden: true }, h("div.step-head", {}, h("h3", {}, "What it writes"), places), list);
  let chosen = null; // a step; null follows the newest
  let drawn = "";
  let last = [[], null];

  function draw(points, best) {
    last = [points, best];
    const looks = points.filter((one) => one.samples.length);
    element.hidden = !looks.length;
    if (!looks.length) return;
    const now = looks.find((one) => one.step === chosen) ?? looks.at(-1);
    const key = `${looks.length} ${now.step} ${best}`;
    if (key === drawn) return; // who reads or has a button under the finger is left alone
    const focused = document.activeElement?.dataset?.look;
    const go = (step) => {
      chosen = step === looks.at(-1).step ? null : step;
      draw(...last);
    };
    const name = ({ step }) => (step === 0 ? "before" : `step ${step}${step === best ? " ★" : ""}`);
    drawn = key;
    if (looks.length > FEW) places.replaceChildren(h("select", { "aria-label": "At which step", data: { look: "all" }, onchange: (event) => go(Number(event.target.value)) }, looks.map((one) => h("option", { value: `${one.step}`, selected: one === now }, name(one)))));
    else places.replaceChildren(...looks.map((one) => h("button.button.small", { type: "button", "aria-pressed": `${one === now}`, title: one.step === best ? "the best so far" : null, data: { look: `${one.step}` }, onclick: () => go(one.step) }, name(one))));
    if (focused) places.querySelector(`[data-look="${focused}"]`)?.focus({ preventScroll: true });
    list.replaceChildren(...now.samples.map(sample));
  }

  return { element, draw };
}

function sample({ prompt, reply, written }) {
  const right = reply.trim() === written.trim();
  return h(
    "li.sample",
    {},
    heard(turnsOf(prompt)),
    h("dl.said-pair", {}, h("div", {}, h("dt", {}, "right"), h("dd", {}, reply)), h("div", {}, h("dt", {}, "writes"), h("dd", {}, written || h("span.soft", {}, "(nothing)"), right && [" ", h("span.tag.on", {}, "the same")]))),
  );
}

// What a model is told, turn by turn
export function heard(turns) {
  return h("div.said-prompt", { tabindex: "0", role: "group", "aria-label": "What the model is told" }, turns.map(({ role, content }) => h("p", {}, role && [h("span.turn-role", {}, role), " "], content)));
}

// The trainer tells the text that its model reads, in which most templates name each role on a line of its own
function turnsOf(text) {
  const [before, ...parts] = text.split(/^(system|user|assistant|tool)[ \t]*$/m);
  if (before.trim() || !parts.length) return [{ role: "", content: text.trim() }];
  const turns = parts.flatMap((role, at) => (at % 2 ? [] : [{ role, content: parts[at + 1].trim() }]));
  return turns.filter((turn) => turn.content); // the last one is the model's own
}
