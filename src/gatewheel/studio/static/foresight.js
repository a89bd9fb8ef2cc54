// What a tuning would take on this machine, before it begins: memory, time, disk; and what fits in the time there is.

import { post } from "./api.js";
import { h } from "./dom.js";
import { bytes, count, plural, roughly } from "./format.js";

const SHARE = 0.6; // of the budget of a whole turn is for learning, as loop/improving.py has it
const FEWEST = 8; // steps that are worth a turn, as there

// Asks until it is known; null when nobody wants it any more
export async function foresee(body, wanted) {
  for (;;) {
    const { checked, foreseen } = await post("/api/improve/foresee", body);
    if (!wanted()) return null;
    if (checked) return foreseen;
  }
}

// So many steps as fit into the minutes, null where all of them do; 0 where those are too few
export function cut({ steps, seconds }, { minutes, how }) {
  const budget = minutes * 60 * (how === "turn" ? SHARE : 1);
  if (!minutes || seconds <= budget) return null;
  const fit = Math.floor((steps * budget) / seconds);
  return fit < fewest(steps, how) ? 0 : fit;
}

function fewest(steps, how) {
  return how === "turn" ? Math.min(FEWEST, steps) : 1;
}

export function told(foreseen, limit, how) {
  const { memory, available, seconds, disk, steps, tokens, examples, kept, learned = examples - kept, reasons, fits } = foreseen;
  const left = Object.entries(reasons).map(([why, number]) => h("p.soft", {}, `${plural(number, "case")} left out: ${why}.`));
  if (foreseen.untold) return [h("p", {}, h("strong", {}, "It was not tried: "), foreseen.untold, "."), h("p.soft", {}, `It would learn from ${plural(examples, "case")}.`), ...left];
  const time = (part) => (seconds ? `about ${roughly(seconds * part)}` : "not tried");
  const facts = [
    ["Memory", `${bytes(memory)}${available ? ` of ${bytes(available)} free` : ""}`, !fits],
    ["Time", !limit ? time(1) : `${time(limit / steps)} for ${plural(limit, "step")}`],
    ["Disk", bytes(disk)],
    ["Steps", `${count(steps)}, of ${plural(tokens, "token")} in all`],
    ["Learns from", `${plural(learned, "case")}; ${count(kept)} more are kept to see what is learned`],
  ];
  return [
    h("dl.facts", {}, facts.map(([name, value, wrong]) => h("div", {}, h("dt", {}, name), h(wrong ? "dd.problem" : "dd", {}, value)))),
    !fits && h("p.problem", {}, h("strong", {}, "It does not fit this machine: "), foreseen.told, "."),
    fits && limit > 0 && h("p", {}, `All ${count(steps)} steps would take ${roughly(seconds)}; in the time there is it learns for ${count(limit)} of them.`),
    fits && limit === 0 && h("p.problem", {}, h("strong", {}, "Too little time: "), short(steps, how), " Allow more, or learn from fewer or shorter cases."),
    ...left,
    /; \d+ (examples|prompts)/.test(foreseen.told) && h("p.soft", {}, `Mind: ${foreseen.told.split("; ").slice(2).join("; ")}.`),
  ];
}

function short(steps, how) {
  const few = fewest(steps, how);
  if (few === 1) return "not even one step fits into it.";
  return `a whole turn needs ${plural(few, "step")} at least, and has ${Math.round(SHARE * 100)}% of its time for them; the rest is for writing the file and asking the gate.`;
}

// The command that does the same
export function command({ how, table, data, app, base, changes, minutes }) {
  const set = Object.entries(changes).map(([name, value]) => ["--set", quoted(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)]);
  const whose = app === "main" ? [] : ["--app", quoted(app)];
  const words = how === "turn" ? ["gatewheel improve --with", table, "--data", quoted(data), ...whose, "--budget", `${minutes || 30}m`] : ["gatewheel finetune", table, "--data", quoted(data), ...whose, ...(base ? ["--base", quoted(base)] : [])];
  return [...words, ...set.flat()].join(" ");
}

function quoted(text) {
  return /^[\w.,:=/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
