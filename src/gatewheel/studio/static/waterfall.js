// Spans as bars on one scale of time, each with what was recorded about it.

import { h, svg } from "./dom.js";
import { seconds } from "./format.js";

const WIDTH = 1000;
const ELSEWHERE = /\.(messages|documents)$/; // shown whole further down the page

export function waterfall(spans, total) {
  const whole = Math.max(total, ...spans.map((span) => span.start + span.seconds), 1e-6);
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  if (!sorted.length) return h("p.soft", {}, "No step was recorded.");
  return h("div.waterfall", {}, scale(whole), h("ol", {}, sorted.map((span) => row(span, whole))));
}

function scale(whole) {
  return h("div.waterfall-scale", { "aria-hidden": "true" }, [0, 0.25, 0.5, 0.75, 1].map((part) => h("span", {}, part ? seconds(part * whole) : "0")));
}

function row(span, whole) {
  const x = (span.start / whole) * WIDTH;
  const width = Math.max(3, (span.seconds / whole) * WIDTH);
  const picture = svg("svg.waterfall-bar", { viewBox: `0 0 ${WIDTH} 16`, preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect.waterfall-track", { width: WIDTH, height: 16 }), svg("rect.waterfall-span", { x: Math.min(x, WIDTH - 3), width, height: 16 }));
  const entries = Object.entries(span.attributes ?? {}).filter(([name]) => !ELSEWHERE.test(name));
  return h(
    "li",
    {},
    h(
      "details",
      {},
      h("summary", {}, h("span.waterfall-name", {}, span.name), picture, h("span.waterfall-time", {}, seconds(span.seconds))),
      h("dl.attributes", {}, h("div", {}, h("dt", {}, "began after"), h("dd", {}, seconds(span.start))), entries.map(([name, value]) => h("div", {}, h("dt.mono", {}, name), h("dd", {}, typeof value === "string" ? value : JSON.stringify(value))))),
    ),
  );
}
