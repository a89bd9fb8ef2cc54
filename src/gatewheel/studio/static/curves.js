// Draws the curves of a tuning at the size that there is: lines over steps on one scale, the last values in words.

import { h, svg } from "./dom.js";
import { count } from "./format.js";

const MOST = 500; // points of a line that are drawn
const LEFT = 46;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 24;

const WIDE = 50; // the largest by the least value, from which on a linear scale would show the largest alone

// `log`: on a logarithmic scale where values lie that far apart. lines: [{name, side, points: [[step, value]], dots}]; `best` is a step to mark. Returns {element, draw(lines, {steps, best})}.
export function curve(title, { height = 150, tell = figure, log = false } = {}) {
  const place = h("div.curve-place");
  const legend = h("figcaption.curve-legend");
  const element = h("figure.curve", {}, legend, place);
  let last = null;
  const paint = () => {
    const width = Math.max(200, Math.round(place.clientWidth || 320));
    const known = last.lines.filter((line) => line.points.length);
    legend.replaceChildren(h("strong", {}, title), ...known.map((line) => h(`span.curve-key${line.side ? `.side-${line.side}` : ""}`, {}, line.name && `${line.name} `, h("b", {}, tell(line.points.at(-1)[1])))));
    place.replaceChildren(known.length ? drawn(title, known, { ...last, width, height, tell, log }) : h("p.soft.curve-none", {}, "nothing yet"));
  };
  new ResizeObserver(() => last && paint()).observe(place);
  return { element, draw: (lines, more) => {
    last = { lines, ...more };
    paint();
  } };
}

export function figure(value) {
  if (value === 0) return "0";
  return Math.abs(value) >= 1000 ? count(value) : Math.abs(value) < 0.001 ? value.toExponential(1) : `${Number(value.toPrecision(3))}`;
}

function drawn(title, lines, { steps, best, width, height, tell, log }) {
  const values = lines.flatMap((line) => line.points.map(([, value]) => value)).filter((value) => !log || value > 0);
  const [least, most] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  const far = log && most / least > WIDE;
  const ticks = far ? powers(least, most) : scale(least, most);
  const on = far ? (value) => Math.log10(Math.max(value, ticks[0])) : (value) => value;
  const [low, high] = [on(ticks[0]), on(ticks.at(-1))];
  const end = Math.max(steps || 1, ...lines.flatMap((line) => line.points.map(([step]) => step)));
  const x = (step) => round(LEFT + (step / end) * (width - LEFT - RIGHT));
  const y = (value) => round(TOP + (1 - (on(value) - low) / (high - low)) * (height - TOP - BOTTOM));
  const words = lines.map((line) => `${line.name} from ${tell(line.points[0][1])} to ${tell(line.points.at(-1)[1])}`).join("; ");
  return svg(
    "svg.plot",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title} over ${count(end)} steps${far ? ", on a logarithmic scale" : ""}: ${words}` },
    ticks.map((value) => [svg("line.plot-grid", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }), svg("text.plot-tick.plot-end", { x: LEFT - 6, y: y(value) + 4 }, tell(value))]),
    [0, end].map((step) => svg(`text.plot-tick${step ? ".plot-end" : ""}`, { x: x(step), y: height - 6 }, step ? `step ${count(step)}` : "0")),
    best > 0 && svg("line.curve-best", { x1: x(best), x2: x(best), y1: TOP, y2: height - BOTTOM }, svg("title", {}, `best at step ${best}`)),
    lines.map((line) => svg(`g${line.side ? `.side-${line.side}` : ""}.curve-line`, {}, svg("path", { d: thinned(line.points).map(([step, value], at) => `${at ? "L" : "M"}${x(step)} ${y(value)}`).join("") }), line.dots && line.points.map(([step, value]) => svg("circle.curve-dot", { cx: x(step), cy: y(value), r: 3.5 }, svg("title", {}, `step ${step}: ${tell(value)}`))))),
  );
}

// From below the least to above the largest value in three or four round numbers
function scale(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((by) => by * power).find((by) => by >= rough);
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  return Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

// The powers of ten around, of which many are thinned out
function powers(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const by = Math.ceil((last - first) / 4);
  return Array.from({ length: Math.ceil((last - first) / by) + 1 }, (_, at) => 10 ** (first + at * by));
}

function thinned(points) {
  if (points.length <= MOST) return points;
  const by = Math.ceil(points.length / MOST);
  return points.filter((_, at) => at % by === 0 || at === points.length - 1);
}

function round(value) {
  return Number(value.toFixed(1));
}
