// Draws the wheel: six sectors, a bezel of ticks, a needle. Angles in degrees, clockwise from the top.

import { svg } from "./dom.js";

const OUTER = 300;
const INNER = 128;
const GAP = 1.2;

// stations: [{name, count, label, href, next}]
export function dial(stations, { name }) {
  const step = 360 / stations.length;
  const at = stations.findIndex((station) => station.next);
  const needle = svg("path.dial-needle", { d: "M0-120 L5-8 L3 34 L-3 34 L-5-8 Z" });
  const drawn = svg(
    "svg",
    { viewBox: "-350 -350 700 700", role: "group", "aria-label": name },
    bezel(),
    stations.map((station, index) => sector(station, index * step, step)),
    needle,
    svg("circle.dial-hub", { r: 11 }),
  );
  // CSSOM, because the policy of the page forbids style attributes
  requestAnimationFrame(() => needle.style.setProperty("transform", `rotate(${Math.max(0, at) * step}deg)`));
  return drawn;
}

function sector(station, middle, step) {
  const from = middle - step / 2 + GAP;
  const to = middle + step / 2 - GAP;
  const [x, y] = point(214, middle);
  return svg(
    station.next ? "a.next" : "a",
    { href: station.href, "aria-label": station.label, "data-station": station.name },
    svg("path.dial-sector", { d: ring(from, to) }),
    svg("path.dial-rim", { d: arc(OUTER + 8, from, to) }),
    svg("text.dial-count", { x, y: y + 6 }, station.count),
    " ",
    svg("text.dial-name", { x, y: y + 36 }, station.name),
  );
}

function bezel() {
  const ticks = svg("g", { "aria-hidden": "true" });
  for (let angle = 0; angle < 360; angle += 3) {
    const long = angle % 60 === 0;
    const [x1, y1] = point(long ? 322 : 330, angle);
    const [x2, y2] = point(340, angle);
    ticks.append(svg(long ? "line.dial-tick.long" : "line.dial-tick", { x1, y1, x2, y2 }));
  }
  for (let angle = 30; angle < 360; angle += 60) {
    ticks.append(svg("path.dial-turn", { d: "M-8-4 8 0-8 4z", transform: `rotate(${angle}) translate(0 -320)` }));
  }
  return ticks;
}

function ring(from, to) {
  const [x1, y1] = point(INNER, to);
  const [x2, y2] = point(INNER, from);
  return `${arc(OUTER, from, to)} L${x1} ${y1} A${INNER} ${INNER} 0 0 0 ${x2} ${y2} Z`;
}

function arc(radius, from, to) {
  const [x1, y1] = point(radius, from);
  const [x2, y2] = point(radius, to);
  return `M${x1} ${y1} A${radius} ${radius} 0 0 1 ${x2} ${y2}`;
}

function point(radius, angle) {
  const turn = ((angle - 90) * Math.PI) / 180;
  return [radius * Math.cos(turn), radius * Math.sin(turn)].map((value) => Number(value.toFixed(2)));
}
