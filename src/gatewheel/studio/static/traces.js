// The list of traces. The filters are a plain form, so that they stand in the URL.

import { get, withQuery } from "./api.js";
import { $, attempt, h, show } from "./dom.js";
import { count, dollars, fullTime, plural, seconds, when } from "./format.js";
import { days, spark } from "./spark.js";

const LIMIT = 50;
const AGO = { "1h": 3600, "1d": 86_400, "7d": 604_800, "30d": 2_592_000 };
const FIELDS = ["q", "kind", "abstained", "thumb", "since", "variant", "before"];
const query = Object.fromEntries(FIELDS.map((name) => [name, new URLSearchParams(location.search).get(name) ?? ""]));

function since(word) {
  return AGO[word] ? Math.floor(Date.now() / 1000) - AGO[word] : word;
}

function row(trace) {
  const marks = [
    trace.error && h("span.tag.bad", {}, "failed"),
    trace.abstained && h("span.tag", {}, "abstained"),
    trace.thumb && h(trace.thumb === "up" ? "span.tag.on" : "span.tag.bad", {}, trace.thumb === "up" ? "▲ good" : "▼ bad"),
    trace.feedback > 0 && !trace.thumb && h("span.tag.on", {}, plural(trace.feedback, "remark")),
    trace.kind !== "ask" && h("span.tag", {}, trace.kind),
  ];
  return h(
    "li.row",
    {},
    h("div.row-main", {}, h("a.row-link", { href: `/traces/${encodeURIComponent(trace.id)}` }, trace.question || "(no question)"), h("p.row-more", {}, trace.error || trace.answer), h("p.row-facts", {}, marks)),
    h(
      "div.row-end",
      {},
      h("time", { datetime: new Date(trace.created * 1000).toISOString(), title: fullTime(trace.created) }, when(trace.created)),
      h("span", {}, seconds(trace.seconds)),
      h("span", {}, [trace.output_tokens ? `${count(trace.input_tokens + trace.output_tokens)} tokens` : "no model", dollars(trace.cost)].filter(Boolean).join(" · ")),
    ),
  );
}

function nothing(filtered) {
  if (filtered) return h("li.empty", {}, h("h2", {}, "No trace matches"), h("a.button", { href: "/traces" }, "Show all"));
  return h("li.empty", {}, h("h2", {}, "Nothing was asked yet"), h("p.soft", {}, "Each question leaves a trace here: what was found, what was sent to the model, what it cost, what people said of it."), h("a.button.primary", { href: "/ask" }, "Ask a question"));
}

async function chart() {
  const from = new Date();
  from.setHours(0, 0, 0, 0);
  from.setDate(from.getDate() - 13);
  const { traces, next } = await get("/api/traces", { since: from.getTime() / 1000, limit: 200 });
  // cut off by the limit, the oldest day may miss some: draw only whole days
  const whole = next === null ? from.getTime() / 1000 : traces.at(-1).created;
  const bars = days(traces.map((trace) => trace.created), 14, whole);
  if (traces.length > 1) show($("spark"), ...spark(bars));
}

for (const [name, value] of Object.entries(query)) if ($("filters").elements[name]) $("filters").elements[name].value = value;
if (query.variant) $("filters").append(h("input", { type: "hidden", name: "variant", value: query.variant }));
const filtered = Object.entries(query).some(([name, value]) => value && name !== "before");
$("clear").hidden = !filtered;

attempt(async () => {
  const { traces, next } = await get("/api/traces", { ...query, since: since(query.since), limit: LIMIT });
  show($("list"), traces.length ? traces.map(row) : nothing(filtered || query.before));
  if (query.variant) $("summary").textContent = `Only of variant ${query.variant.slice(0, 8)}.`;
  const newest = query.before && h("a", { href: withQuery("/traces", { ...query, before: "" }) }, "Newest");
  const older = next !== null && h("a", { href: withQuery("/traces", { ...query, before: next }) }, "Older");
  if (newest || older) show($("paging"), newest || h("span"), older || h("span"));
  if (traces.length && !filtered && !query.before) await chart();
})();
