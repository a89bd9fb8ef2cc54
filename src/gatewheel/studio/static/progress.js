// A run as it goes: the bar, what it works on, how long it may still take. Follows the run's events.

import { events } from "./api.js";
import { h } from "./dom.js";
import { count, pace, plural, roughly } from "./format.js";

const ENDED = ["done", "failed", "cancelled", "interrupted"];

export function isOver(run) {
  return ENDED.includes(run.state);
}

// Calls onChange with the run each time it changes, until it is over; returns the last.
export async function follow(id, onChange, { signal } = {}) {
  let last = null;
  for await (const { event, data } of events(`/api/runs/${encodeURIComponent(id)}/events`, { signal })) {
    if (event !== "run") continue;
    last = data;
    onChange(data);
    if (isOver(data)) break;
  }
  return last;
}

// 0…1, null while nothing is known
export function share({ progress, state }) {
  if (state === "done") return 1;
  const { bytes, total_bytes: all, files, total_files: number, done, total } = progress ?? {};
  if (total) return Math.min(1, done / total);
  if (all) return Math.min(1, bytes / all);
  return number ? Math.min(1, files / number) : null;
}

// Seconds that are left if it goes on as it went; null while that would be a guess.
export function left(run, now = Date.now() / 1000) {
  if (run.cancelling) return null;
  if (run.progress?.target) return run.state === "running" ? run.progress.left : null; // what is known already goes faster
  const done = share(run);
  const spent = now - run.started;
  if (run.state !== "running" || !done || done < 0.02 || spent < 1) return null;
  return (spent * (1 - done)) / done;
}

export function bar(run) {
  const done = share(run);
  const rest = left(run);
  const { files, total_files: number, passages, current } = run.progress ?? {};
  const facts = [
    ...asked(run),
    number && !isOver(run) ? `${count(files)} of ${plural(number, "file")}` : null,
    !isOver(run) && passages > 0 && plural(passages, "passage"),
    rest !== null && `about ${roughly(rest)} left`,
    run.state === "running" && current,
  ].filter(Boolean);
  const meter = h("progress", { max: "1", "aria-label": "Progress", ...(done === null ? {} : { value: `${done}` }) });
  return h("div.progress", {}, isOver(run) && run.state !== "done" && done === null ? null : meter, h("p.progress-facts", {}, h("span", {}, words(run)), facts.map((fact) => h("span", {}, fact))));
}

const PIECES = { judge: "judgement", prefer: "pair", generate: "draft", calibrate: "answer", finetune: "step", improve: "step", add: "file" }; // of all else cases

// Of what has equal pieces: who is asked, how many are done, and how fast
function asked(run) {
  const { target, done, total, known, errors, rate, point, step } = run.progress ?? {};
  if (!target || isOver(run)) return [];
  const { kind } = run;
  const piece = step === "gate" ? "case" : PIECES[kind] ?? "case"; // a whole turn asks cases too
  const fast = rate > 0 && (point?.phase ? `${count(rate)} tokens a second` : pace(rate));
  return [target, (total > 1 || kind !== "improve") && `${count(done)} of ${plural(total, piece)}`, known > 0 && `${count(known)} known`, errors > 0 && `${count(errors)} failed`, fast];
}

// What its badge says
export function standing(run) {
  return run.cancelling && !isOver(run) ? "cancelling" : run.state;
}

const OUTCOMES = { promote: "passed", reject: "rejected" };

// What a tuning came to
function learned({ validation, loss, steps, best_step: best }) {
  if (!validation) return `training loss ${Number(loss.toPrecision(3))} after ${plural(steps, "step")}`;
  return `validation loss ${Number(validation[0].toPrecision(3))} → ${Number(validation[1].toPrecision(3))} at step ${count(best)}`;
}

export function words(run) {
  const { state, kind, result, error } = run;
  if (standing(run) === "cancelling") return "cancelling …";
  if (state === "failed") return error || "failed";
  if (state === "done" && kind === "evaluate" && result?.reports) return `done: ${plural(result.reports.length, "report")}`;
  if (state === "done" && kind === "gate" && result?.decision) return `done: ${OUTCOMES[result.decision.outcome] ?? "inconclusive"}, by ${count(result.cases)} of ${plural(result.of, "case")}`;
  if (state === "done" && kind === "prefer" && result) return `done: ${count(result.wins)} better, ${count(result.losses)} worse`;
  if (state === "done" && kind === "generate" && result) return `done: ${plural(result.drafts.length, "draft")}`;
  if (state === "done" && kind === "finetune" && result?.tuned) return `done: ${learned(result.tuned)}`;
  if (state === "done" && kind === "improve" && result) return `done: ${OUTCOMES[result.outcome] ?? "inconclusive"}${result.proposed ? ", proposed" : ""}`;
  if (state === "done" && kind === "add" && result?.variant) return `done: variant ${result.variant.slice(0, 8)}`;
  if (state === "done" && kind === "ingest" && result) {
    const { added = 0, updated = 0, removed = 0, unchanged = 0, skipped = [] } = result;
    return `done: ${count(added)} new, ${count(updated)} changed, ${count(removed)} removed, ${count(unchanged)} as before${skipped.length ? `, ${count(skipped.length)} left out` : ""}`;
  }
  if (state === "queued") return run.behind ? `waiting for its turn, until this is over: ${run.behind}` : "waiting for its turn";
  if (state === "interrupted") return `interrupted: ${error || (run.started ? "its process is gone" : "its process was gone before its turn came")}; it waits until somebody resumes it`;
  return state;
}
