// A tuning as it goes on: how far it is, its curves, what it writes, what to do about that; and what came of it.

import { get, post } from "./api.js";
import { curve, figure } from "./curves.js";
import { h, say, show } from "./dom.js";
import { count } from "./format.js";
import { bar, follow, isOver, standing, words } from "./progress.js";
import { made } from "./tuned.js";
import { writings } from "./writings.js";

const STEPS = { harvest: "Harvest", tune: "Tune", export: "Export", gate: "Gate", propose: "Propose" };
const PHASES = { reading: "Reading the base and the cases", learning: "Learning", looking: "Looking at the validation cases", done: "Keeping the best" };
const EVERY = 1000; // milliseconds between two looks at the points

// named(wanted) is told what the run was begun with, over() that its state has changed
export async function live(id, { element, signal, apps, over, named }) {
  const path = `/api/improve/tunings/${encodeURIComponent(id)}`;
  const page = skeleton(id);
  const points = [];
  let course = await get(path);
  let run = await get(`/api/runs/${encodeURIComponent(course.run)}`);
  if (signal.aborted) return;
  points.push(...course.points);
  named(course.wanted);
  show(element, page.element);
  const draw = () => page.draw(run, course, points);
  const after = () => made(run, course, { app: apps.find((one) => one.app === course.wanted.app), again: catchUp, signal });
  let coming = 0; // the timer of the next look at the points
  let last = 0;
  // after the last change too, so that what came with it is seen
  const soon = () => {
    coming ||= setTimeout(() => catchUp().catch(() => {}), Math.max(0, EVERY - (Date.now() - last)));
  };
  async function catchUp() {
    try {
      const found = await get(path, { after: points.length });
      if (signal.aborted) return;
      points.push(...found.points);
      course = found;
      draw();
      if (isOver(run)) show(page.result, after());
    } finally {
      clearTimeout(coming);
      coming = 0;
      last = Date.now();
    }
  }
  page.on(async (action) => {
    run = await post(action === "keep" ? `${path}/keep` : `/api/runs/${encodeURIComponent(course.run)}/${action}`);
    page.kept(action === "keep");
    draw();
    if (action === "resume") await watch();
  });
  async function watch() {
    page.result.replaceChildren();
    await follow(course.run, (now) => {
      if (signal.aborted) return;
      if (now.state !== run.state) over();
      run = now;
      draw();
      soon();
    }, { signal });
    if (signal.aborted) return;
    await catchUp();
    say(`It is over: ${words(run)}`);
  }
  draw();
  if (isOver(run)) show(page.result, after());
  else await watch();
}

function skeleton(id) {
  const title = h("h2", { id: "live-title" });
  const tag = h("span.tag");
  const phase = h("p.live-phase");
  const stages = h("ol.stages", { "aria-label": "Steps of the turn", hidden: true });
  const far = h("div");
  const advice = h("p.advice", { role: "status", hidden: true });
  const problem = h("p.problem", { role: "alert" });
  const result = h("div.tuned");
  const loss = curve("Loss", { height: 230, log: true });
  const small = { rate: curve("Learning rate"), norm: curve("Gradient norm", { log: true }), speed: curve("Tokens a second", { tell: (value) => (value >= 10 ? count(value) : figure(value)) }) };
  const curves = h("section.curves", { "aria-label": "Curves", hidden: true }, loss.element, h("div.curves-small", {}, Object.values(small).map((one) => one.element)));
  const wrote = writings();
  let act = async () => {};
  let keeping = false;
  const button = (action, text, kind) => h(kind, { type: "button", hidden: true, onclick: async ({ currentTarget: pressed }) => {
    pressed.disabled = true;
    problem.textContent = "";
    try {
      await act(action);
    } catch (error) {
      if (error.name !== "AbortError") problem.textContent = `${error.message}.`;
    } finally {
      pressed.disabled = false;
    }
  } }, text);
  const [keep, cancel, resume] = [button("keep", "Stop and keep", "button.button.primary"), button("cancel", "Cancel", "button.button"), button("resume", "Resume", "button.button")];
  const element = h("div.live", {}, h("header.live-head", {}, h("div", {}, h("p.eyebrow", {}, "Tuning ", h("a.mono", { href: `/runs/${encodeURIComponent(id)}`, title: "The run, with its log" }, id)), title), h("div.head-actions.wrap", {}, tag, keep, cancel, resume)), stages, phase, far, advice, problem, result, curves, wrote.element);

  function buttons(run, ending) {
    const stopping = standing(run) === "cancelling";
    keep.hidden = !isLearning(run) || !run.progress.point.step || ending || stopping;
    cancel.hidden = isOver(run);
    cancel.disabled = stopping;
    cancel.textContent = stopping ? "Cancelling …" : "Cancel";
    resume.hidden = !["cancelled", "failed", "interrupted"].includes(run.state);
  }

  function draw(run, course, points) {
    const ending = (keeping || Boolean(course.keeping)) && isLearning(run);
    title.textContent = run.about;
    element.dataset.state = run.state;
    tag.className = `tag ${run.state === "failed" ? "bad" : isOver(run) && run.state !== "done" ? "" : "on"}`;
    tag.textContent = ending && !run.cancelling ? "stopping" : standing(run);
    staged(stages, run);
    phase.textContent = phaseOf(run, ending);
    far.replaceChildren(bar(run));
    buttons(run, ending);
    if (advice.textContent !== course.advice) advice.textContent = course.advice; // else it would be read aloud again
    advice.hidden = !course.advice;
    const learned = points.filter((one) => one.phase === "learning");
    const looks = points.filter((one) => one.validation !== null);
    const line = (field) => learned.filter((one) => one[field] !== null).map((one) => [one.step, one[field]]);
    const more = { steps: points.at(-1)?.steps ?? 0, best: course.best_step };
    curves.hidden = !points.length;
    if (!points.length) return;
    loss.draw([{ name: "training", side: "b", points: line("loss") }, { name: "validation", side: "a", points: looks.map((one) => [one.step, one.validation]), dots: true }], more);
    small.rate.draw([{ name: "", side: "", points: line("learning_rate") }], { steps: more.steps });
    small.norm.draw([{ name: "", side: "", points: line("gradient_norm") }], { steps: more.steps });
    small.speed.draw([{ name: "", side: "", points: line("tokens_per_second") }], { steps: more.steps });
    wrote.draw(points, course.best_step);
  }

  return { element, result, draw, on: (call) => (act = call), kept: (asked) => (keeping = asked) };
}

function isLearning(run) {
  return run.state === "running" && ["learning", "looking"].includes(run.progress.point?.phase);
}

function phaseOf(run, ending) {
  const { point, step } = run.progress ?? {};
  if (isOver(run) || run.state !== "running") return "";
  if (ending) return "Ending after this step, with the best adapter so far.";
  if (step && step !== "tune") return { harvest: "Taking in what people corrected", export: "Writing the file that will be served", gate: "Asking the held-out cases as they will be served", propose: "Proposing" }[step] ?? "";
  return PHASES[point?.phase] ?? "Looking whether it fits this machine";
}

// The five steps of a whole turn, with the one that it is at
function staged(list, run) {
  list.hidden = run.kind !== "improve";
  const names = Object.keys(STEPS);
  const at = run.state === "done" ? names.length : names.indexOf(run.progress?.step);
  list.replaceChildren(...names.map((name, place) => h("li", { "aria-current": place === at ? "step" : null, data: { state: place < at ? "done" : place === at ? "now" : "later" } }, STEPS[name], place < at && h("span.away", {}, ", done"))));
}
