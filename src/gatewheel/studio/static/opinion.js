// What a person thinks of an answer: thumbs, a wrong citation, a correction. Each is sent at once and kept for ever.

import { post } from "./api.js";
import { attempt, h, say } from "./dom.js";
import { rememberThumb, thumbOf } from "./recall.js";

// answer: {trace, answer, abstained}, where `trace` is its id; given: feedback that is there already, the newest first
export function opinion(answer, given = []) {
  const send = (said) => post("/api/feedback", { trace: answer.trace, ...said });
  const thumbs = {};
  const before = given.find((one) => one.thumb)?.thumb ?? thumbOf(answer.trace);
  for (const thumb of ["up", "down"]) {
    const words = thumb === "up" ? "Good answer" : "Bad answer";
    thumbs[thumb] = h("button.button.small.thumb", { type: "button", "aria-pressed": `${thumb === before}`, "aria-label": words, title: words, onclick: attempt(async () => {
      await send({ thumb });
      rememberThumb(answer.trace, thumb);
      for (const [name, button] of Object.entries(thumbs)) button.setAttribute("aria-pressed", `${name === thumb}`);
      say("Thank you, kept.");
    }) }, sign(thumb));
  }
  const form = correction(answer, send);
  const opener = h("button.button.small", { type: "button", "aria-expanded": "false", onclick: () => {
    form.hidden = !form.hidden;
    opener.setAttribute("aria-expanded", `${!form.hidden}`);
    if (!form.hidden) form.querySelector("textarea").focus();
  } }, "Correct the answer");
  form.addEventListener("sent", () => {
    form.hidden = true;
    opener.replaceChildren("Corrected, thank you");
    opener.setAttribute("aria-expanded", "false");
    opener.focus();
    say("Thank you, the correction is kept.");
  });
  const element = h("div.opinion", {}, h("div.opinion-row", { role: "group", "aria-label": "Your opinion" }, thumbs.up, thumbs.down, opener), form);
  return { element, wrong: (n) => wrong(n, send, given) };
}

function wrong(n, send, given) {
  const done = given.some((one) => one.wrong_citations.includes(n));
  const words = (marked) => (marked ? "Marked as wrong" : "Wrong citation");
  const button = h("button.button.small.wrong", { type: "button", "aria-pressed": `${done}`, "aria-label": `${words(done)}: ${n}`, onclick: attempt(async () => {
    if (button.getAttribute("aria-pressed") === "true") return;
    await send({ wrong_citations: [n] });
    button.setAttribute("aria-pressed", "true");
    button.setAttribute("aria-label", `${words(true)}: ${n}`);
    button.replaceChildren(words(true));
    say(`Citation ${n} is marked as wrong.`);
  }) }, words(done));
  return button;
}

function correction(answer, send) {
  const right = h("textarea", { rows: "3", name: "correction", required: true, maxlength: "20000" });
  const comment = h("textarea", { rows: "2", name: "comment", maxlength: "20000" });
  const problem = h("p.problem", { role: "alert" });
  const form = h(
    "form.correction",
    { hidden: true },
    h("label", {}, "The right answer", right),
    h("label", {}, "Why (if you like)", comment),
    problem,
    h("div", {}, h("button.button", {}, "Send the correction")),
  );
  right.value = answer.abstained ? "" : answer.answer.replace(/\s*\[\d+\]/g, "");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      await send({ correction: right.value.trim(), comment: comment.value.trim() });
      form.dispatchEvent(new Event("sent"));
    } catch (error) {
      problem.textContent = error.message;
    }
  });
  return form;
}

// a hand would be drawn poorly at this size; a needle up or down is the language of the wheel
function sign(thumb) {
  return thumb === "up" ? "▲ Good" : "▼ Bad";
}
