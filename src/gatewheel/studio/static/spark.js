// Questions a day as a row of bars; a table of the same numbers would be read, this is looked at.

import { h, svg } from "./dom.js";
import { dayName, plural } from "./format.js";

const STEP = 12;
const HEIGHT = 44;

// POSIX stamps → [{date, count}] of the last `number` days, oldest first; days that began before `whole` are left out
export function days(stamps, number, whole) {
  const made = [];
  for (let back = number - 1; back >= 0; back -= 1) {
    const date = new Date();
    date.setHours(0, 0, 0, 0);
    date.setDate(date.getDate() - back);
    if (date.getTime() / 1000 >= whole) made.push({ date, count: 0 });
  }
  for (const stamp of stamps) {
    const at = made.findLast(({ date }) => date.getTime() / 1000 <= stamp);
    if (at) at.count += 1;
  }
  return made;
}

export function spark(bars) {
  const most = Math.max(1, ...bars.map((bar) => bar.count));
  const total = bars.reduce((sum, bar) => sum + bar.count, 0);
  const drawn = svg("svg", { viewBox: `0 0 ${bars.length * STEP} ${HEIGHT}`, width: bars.length * STEP, height: HEIGHT, role: "img", "aria-label": `${plural(total, "question")} in ${plural(bars.length, "day")}; most in a day: ${most}` });
  bars.forEach(({ date, count }, index) => {
    const tall = Math.max(1.5, (count / most) * (HEIGHT - 2));
    const bar = svg(`rect${count ? ".spark-bar" : ".spark-none"}`, { x: index * STEP + 2, y: HEIGHT - tall, width: STEP - 4, height: tall, rx: 1 });
    bar.append(svg("title", {}, `${dayName(date)}: ${plural(count, "question")}`));
    drawn.append(bar);
  });
  return [drawn, h("figcaption", {}, `${plural(total, "question")} in ${plural(bars.length, "day")}`)];
}
