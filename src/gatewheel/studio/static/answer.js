// One answer as it grows: muted words while they are a draft, ink once a passage supports them.

import { documentHref, events, withQuery } from "./api.js";
import { h } from "./dom.js";
import { count, dollars, plural, seconds, short } from "./format.js";
import { opinion } from "./opinion.js";

const NEAREST = 3;

// onCite(citation, chip) may show a citation and return true; else its link is followed.
export function answerPanel(app, { named = false, onCite = () => false } = {}) {
  const status = h("p.answer-status", { role: "status" }, "Waiting …");
  const checked = h("span.answer-checked");
  const draft = h("span.answer-draft");
  const text = h("p.answer-text", {}, checked, draft);
  const below = h("div.answer-below");
  const element = h("article.answer", { "aria-busy": "true", "aria-label": `Answer of ${app}` }, named && h("h3.answer-app", {}, app), status, text, below);
  const judged = { kept: 0, lost: 0 };
  let stopping = null;

  const judgement = () => (judged.kept + judged.lost ? `Writing; ${judged.kept} supported, ${judged.lost} left out so far …` : "Writing, not yet checked …");

  const on = {
    passages: ({ passages }) => (status.textContent = `Reading ${plural(passages.length, "passage")} …`),
    text: (event) => {
      status.textContent = judgement();
      draft.append(draft.textContent ? event.text : event.text.trimStart());
    },
    sentence: (sentence) => {
      const written = draft.textContent;
      const at = written.indexOf(sentence.text);
      draft.textContent = at < 0 ? "" : written.slice(at + sentence.text.length).trimStart();
      if (sentence.supported) checked.append(`${checked.textContent ? " " : ""}${sentence.text}`);
      judged[sentence.supported ? "kept" : "lost"] += 1;
      status.textContent = judgement();
    },
  };

  async function stream(body) {
    stopping = new AbortController();
    try {
      for await (const { event, data } of events("/api/ask", { body: { ...body, app, stream: true }, signal: stopping.signal })) {
        if (event === "answer") return (show(data), data);
        if (event === "error") throw Object.assign(new Error(data.error.message), { status: 0 });
        on[event]?.(data);
      }
      throw new Error("the connection was lost before the answer was whole");
    } catch (error) {
      fail(error);
      return null;
    } finally {
      stopping = null;
      element.removeAttribute("aria-busy");
    }
  }

  function fail(error) {
    const stopped = error.name === "AbortError";
    draft.replaceChildren();
    status.className = stopped ? "answer-status" : "answer-status problem";
    status.textContent = stopped ? "Stopped." : `No answer: ${error.message}`;
    text.hidden = !checked.textContent;
  }

  function show(answer) {
    element.removeAttribute("aria-busy");
    element.classList.toggle("abstained", answer.abstained);
    const said = answer.sentences.length ? `Every sentence checked, ${plural(answer.citations.length, "citation")}` : "Without your documents, so nothing was checked";
    status.textContent = answer.abstained ? "Not in your documents" : said;
    text.replaceChildren(...withChips(answer, onCite));
    below.replaceChildren(...parts(answer, onCite));
  }

  return { element, stream, show, stop: () => stopping?.abort() };
}

function parts(answer, onCite) {
  const said = answer.trace ? opinion(answer) : null;
  return [
    answer.abstained && answer.passages.length ? nearest(answer.passages) : null,
    answer.citations.length ? cited(answer.citations, said, onCite) : null,
    dropped(answer),
    facts(answer),
    said?.element,
  ].filter(Boolean);
}

// "Two [1]. Three [2]." → text nodes and links; a number without a citation stays text
function withChips(answer, onCite) {
  const byNumber = new Map(answer.citations.map((citation) => [citation.n, citation]));
  return answer.answer.split(/(\[\d+\])/).filter(Boolean).map((piece) => {
    const citation = /^\[\d+\]$/.test(piece) ? byNumber.get(Number(piece.slice(1, -1))) : null;
    return citation ? chip(citation, onCite) : document.createTextNode(piece);
  });
}

function chip(citation, onCite) {
  const where = `${citation.source}${citation.page ? `, page ${citation.page}` : ""}`;
  return h("a.chip", { href: documentHref(citation.source, citation.span), title: where, "aria-label": `Citation ${citation.n}: ${where}`, onclick: follow(citation, onCite) }, `${citation.n}`);
}

function follow(citation, onCite) {
  return (event) => {
    const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.button;
    if (!elsewhere && onCite(citation, event.currentTarget)) event.preventDefault();
  };
}

function cited(citations, said, onCite) {
  return h("ol.cited", { "aria-label": "Citations" }, citations.map((citation) =>
    h(
      "li",
      {},
      h("span.cited-n", { "aria-hidden": "true" }, `${citation.n}`),
      h("div", {}, h("blockquote", {}, citation.quote), h("a.cited-source", { href: documentHref(citation.source, citation.span), onclick: follow(citation, onCite) }, citation.source, citation.page && `, page ${citation.page}`)),
      said?.wrong(citation.n),
    )));
}

function nearest(passages) {
  return h("section.nearest", {}, h("h3", {}, "What comes nearest"), h("ul", {}, passages.slice(0, NEAREST).map((passage) =>
    h("li", {}, h("a", { href: documentHref(passage.source, passage.span) }, passage.heading || passage.source), h("p", {}, passage.text)))));
}

function dropped({ sentences, abstained }) {
  const lost = sentences.filter((sentence) => !sentence.supported);
  if (!lost.length) return null;
  const what = abstained ? `The model wrote ${plural(lost.length, "sentence")} that no passage supports` : `${plural(lost.length, "sentence")} left out, because no passage supports ${lost.length === 1 ? "it" : "them"}`;
  return h("details.dropped", {}, h("summary", {}, what), lost.map((sentence) => h("p", {}, sentence.text, " ", h("span.soft", {}, `support ${sentence.support.toFixed(2)}`))));
}

function facts({ usage, seconds: took, variant, trace }) {
  return h(
    "p.answer-facts",
    {},
    h("span", {}, seconds(took)),
    usage.output_tokens ? h("span", {}, `${count(usage.input_tokens)} tokens read, ${count(usage.output_tokens)} written`) : h("span", {}, "no model was asked"),
    usage.cost ? h("span", {}, dollars(usage.cost)) : null,
    h("a", { href: withQuery("/traces", { variant }), title: variant }, "variant ", h("span.mono", {}, short(variant))),
    trace && h("a", { href: `/traces/${encodeURIComponent(trace)}` }, "trace"),
  );
}
