// One trace: the question, its answer, where the time went, what the model was shown, what people said.

import { documentHref, get, withQuery } from "./api.js";
import { $, attempt, h, show } from "./dom.js";
import { count, dollars, fullTime, seconds, short } from "./format.js";
import { opinion } from "./opinion.js";
import { waterfall } from "./waterfall.js";

const id = decodeURIComponent(location.pathname.split("/")[2]);
const DOCUMENTS = "gen_ai.retrieval.documents";
const QUERY = "gen_ai.retrieval.query.text";
const MESSAGES = "gen_ai.input.messages";

function facts(trace) {
  const pairs = [
    ["When", fullTime(trace.created)],
    ["Took", seconds(trace.seconds)],
    ["Tokens", trace.output_tokens ? `${count(trace.input_tokens)} read, ${count(trace.output_tokens)} written` : "no model was asked"],
    ["Cost", trace.cost === null ? "not known" : dollars(trace.cost)],
    ["Model", trace.model],
    ["Application", trace.app],
    ["Variant", trace.variant && h("a.mono", { href: withQuery("/traces", { variant: trace.variant }), title: trace.variant }, short(trace.variant))],
    ["Key", trace.key],
    ["Trace", h("span.mono", {}, trace.id)],
  ];
  return h("dl.facts", {}, pairs.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function attribute(spans, name) {
  return spans.map((span) => span.attributes[name]).find((value) => value !== undefined) ?? null;
}

// A trace keeps the ids of passages and their sources; asking the index the same again tells where those stand that are still there.
async function placed(spans) {
  const found = attribute(spans, DOCUMENTS) ?? [];
  const q = attribute(spans, QUERY);
  if (!found.length || !q) return found;
  const now = await get("/api/search", { q, k: found.length }).catch(() => ({ passages: [] }));
  return found.map((one) => ({ ...now.passages.find((passage) => passage.id === one.id), ...one }));
}

function passages(found) {
  if (!found.length) return null;
  const most = Math.max(...found.map((one) => one.score), 1e-9);
  return part("Passages found", h("ol.scored", {}, found.map((one) =>
    h(
      "li",
      {},
      h("meter", { min: "0", max: `${most}`, value: `${Math.max(0, one.score)}`, "aria-label": `Score ${one.score}` }),
      h("span.mono", {}, one.score.toFixed(4)),
      one.span ? h("a", { href: documentHref(one.source, one.span) }, one.heading || one.source) : h("span.mono", {}, one.source || one.id),
    ))));
}

function prompt(messages) {
  if (!messages?.length) return null;
  return part("What the model was sent", messages.map((message) => h("details.message", {}, h("summary", {}, message.role), h("pre", {}, written(message)))));
}

// The conventions allow a plain `content` and, since v1.37, a list of `parts`.
function written({ content, parts }) {
  return content ?? (parts ?? []).map((one) => one.content ?? JSON.stringify(one)).join("\n");
}

function said(feedback) {
  if (!feedback.length) return null;
  return h("ul.said", {}, feedback.map((one) =>
    h(
      "li",
      {},
      h("p.row-facts", {}, one.thumb && h(one.thumb === "up" ? "span.tag.on" : "span.tag.bad", {}, one.thumb === "up" ? "▲ good" : "▼ bad"), one.score !== null && h("span.tag", {}, `score ${one.score}`), one.wrong_citations.map((n) => h("span.tag.bad", {}, `citation ${n} is wrong`)), h("span", {}, fullTime(one.created)), one.author && h("span", {}, `key ${one.author}`)),
      one.correction && h("p.said-right", {}, one.correction),
      one.comment && h("p.soft", {}, one.comment),
    )));
}

function part(title, ...children) {
  return h("section.part", {}, h("h2", {}, title), children);
}

attempt(async () => {
  const trace = await get(`/api/traces/${encodeURIComponent(id)}`);
  document.title = `${trace.question} · Trace · Gatewheel`;
  const given = opinion({ ...trace, trace: trace.id }, trace.feedback);
  const numbers = [...new Set([...trace.answer.matchAll(/\[(\d+)\]/g)].map((match) => Number(match[1])))];
  show(
    $("trace"),
    h("h1", { id: "title" }, trace.question),
    h(`div.trace-answer${trace.abstained ? ".abstained" : ""}`, {}, trace.error ? h("p.problem", {}, trace.error) : h("p", {}, trace.answer), trace.abstained && h("p.soft", {}, "An abstention: no passage supported an answer.")),
    facts(trace),
    h("p.part", {}, h("a", { href: `/lineage/${trace.id}` }, "What it was made of, and what came of it")),
    part("Where the time went", waterfall(trace.spans, trace.seconds)),
    passages(await placed(trace.spans)),
    prompt(attribute(trace.spans, MESSAGES)),
    part("Feedback", said(trace.feedback), h("p.soft", {}, trace.feedback.length ? "Say more:" : "Nobody has said anything about this answer yet."), given.element, numbers.length > 0 && h("div.opinion-row.wrongs", {}, numbers.map((n) => h("span.wrong-one", {}, `[${n}]`, given.wrong(n))))),
  );
})();
