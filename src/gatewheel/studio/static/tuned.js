// What came of a tuning: its losses, the adapter, and the way on from there: a variant, the gate, the release.

import { post, sideBySide, withQuery } from "./api.js";
import { underWay } from "./asking.js";
import { figure } from "./curves.js";
import { h, show } from "./dom.js";
import { count, plural, seconds, short } from "./format.js";
import { bar, follow, words } from "./progress.js";

const ENDED = { done: "it ran to its end", early: "no look was better for a while", asked: "somebody stopped it and kept the best" };
const OUTCOMES = { promote: ["on", "passed"], reject: ["bad", "rejected"] };
const MARKS = { promote: "✓", reject: "✗" };

// app is what the page knows of the application, if it is still there; again() reads the course anew
export function made(run, course, { app, again, signal }) {
  if (run.state !== "done" && !course.adapter) return unfinished(run);
  return [facts(run, course), run.kind === "improve" && run.state === "done" ? turned(run.result) : onward(course, { app, again, signal })];
}

function unfinished(run) {
  const after = run.state === "failed" ? "Nothing is lost but time: choose otherwise under Another tuning, or Resume once what is said above is mended." : "What was learned up to the last checkpoint is kept: Resume goes on from there.";
  return h("p.soft", {}, after);
}

function facts(run, course) {
  const tuned = run.result?.tuned;
  const { losses } = course;
  const pairs = [
    losses && ["Validation loss", `${figure(losses[0])} → ${figure(losses[1])}`],
    course.best_step !== null && ["Best step", count(course.best_step)],
    tuned && ["Training loss", figure(tuned.loss)],
    tuned && ["Learned from", `${plural(tuned.examples, "case")}${tuned.kept ? `; ${count(tuned.kept)} more were kept` : ""}`],
    !tuned && run.result?.examples && ["Learned from", plural(run.result.examples, "case")],
    tuned && ["Ended", ENDED[tuned.stopped] ?? tuned.stopped],
    run.started && run.ended && ["Took", seconds(run.ended - run.started)],
    course.adapter && ["Adapter", h("a.mono", { href: `/lineage/${course.adapter}`, title: "What it was made of, and what came of it" }, course.adapter.slice(0, 12))],
  ];
  return h("dl.facts", {}, pairs.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

// A whole turn has asked its gate already
function turned({ app, outcome, reasons, reports, proposed, variant, gate }) {
  const [kind, word] = OUTCOMES[outcome] ?? ["", "inconclusive"];
  const where = withQuery("/release", { app: app === "main" ? "" : app });
  return h(
    "section.onward",
    { "aria-label": "What the gate said" },
    h("p", {}, "Gate ", gate, " on variant ", h("a.mono", { href: `/lineage/${variant}` }, short(variant)), " ", h(kind ? `span.tag.${kind}` : "span.tag", {}, word)),
    h("ul.reasons", {}, reasons.map((text) => h("li", {}, h("span.reason-mark", { "aria-hidden": "true" }, MARKS[outcome] ?? "·"), text))),
    h("div.head-actions.wrap", {}, proposed !== null && h("a.button.primary", { href: where }, "To the release"), reports.length > 0 && h("a.button", { href: sideBySide([...reports].reverse()) }, "See the reports")),
    proposed === null && h("p.soft", {}, "It was not proposed. What answers now stays; more cases, or better ones, are what helps most."),
  );
}

function onward(course, { app, again, signal }) {
  const name = course.wanted.app;
  if (!name) return h("p.soft", {}, "It was tuned for the tuning API, whose clients ask it by its own name.");
  const [variant] = course.variants;
  const place = h("div");
  const problem = h("p.problem", { role: "alert" });
  // A button that begins a run; one of the kind and about the same that is under way already is followed at once
  const step = (text, { kind, about, begin, after }) => {
    const carry = async (id) => {
      button.disabled = true;
      problem.textContent = "";
      try {
        const run = id || (await begin()).run;
        const link = h("p.soft", {}, h("a", { href: `/runs/${encodeURIComponent(run)}` }, "The run"));
        const last = await follow(run, (now) => place.replaceChildren(link, bar(now)), { signal });
        if (last?.state !== "done") place.replaceChildren(link);
        if (last?.state !== "done") throw new Error(last ? words(last) : "it was left");
        await after(last);
      } catch (error) {
        if (error.name !== "AbortError") problem.textContent = `${error.message}.`;
      } finally {
        button.disabled = false;
      }
    };
    const button = h("button.button.primary", { type: "button", onclick: () => carry("") }, text);
    underWay(kind, about).then((id) => id && button.isConnected && !button.disabled && carry(id)).catch(() => {}); // then it is offered
    return button;
  };
  const told = (text, command) => [h("p", {}, text), place, problem, h("pre.command", { tabindex: "0", "aria-label": "The same on the command line" }, command)];
  if (!variant) {
    const add = step("Make a variant", { kind: "add", about: `adapter ${course.adapter.slice(0, 12)} in ${name}`, begin: () => post(`/api/improve/tunings/${encodeURIComponent(course.run)}/variant`), after: again });
    return h("section.onward", { "aria-label": "What to do with it" }, h("h3", {}, "What to do with it"), h("div.head-actions.wrap", {}, add), told(`The adapter is merged into its base and written as the file that would be served; with it ${name} is a variant that a gate can judge. Nothing is released by that.`, `gatewheel variants add ${course.run} --app ${name}`));
  }
  const where = withQuery("/release", { app: name === "main" ? "" : name });
  const said = h("div", { "aria-live": "polite" });
  const gate = app?.gate && step("Ask the gate", { kind: "gate", about: `${variant.slice(0, 12)} before gate ${app.gate}`, begin: () => post(`/api/releases/${encodeURIComponent(name)}/gate`, { variant, gate: app.gate }), after: (last) => (place.replaceChildren(), show(said, decided(last))) });
  const all = course.variants.map((id, at) => [at ? ", " : "", h("a.mono", { href: `/lineage/${id}` }, short(id))]);
  return h("section.onward", { "aria-label": "What to do with it" }, h("h3", {}, course.variants.length > 1 ? "Variants " : "Variant ", all), said, h("div.head-actions.wrap", {}, gate, h("a.button", { href: where }, "To the release")), told(app?.gate ? `Gate ${app.gate} asks the held-out cases of this variant as it would be served, and compares it with what answers now.` : `No gate guards ${name}: write one, or release it past the gate on the page Release.`, `gatewheel gate ${short(variant)}${app?.gate && app.gate !== "main" ? ` --gate ${app.gate}` : ""}`));
}

function decided({ result }) {
  const { outcome, reasons } = result.decision;
  const [kind, word] = OUTCOMES[outcome] ?? ["", "inconclusive"];
  return [h("p", {}, h(kind ? `span.tag.${kind}` : "span.tag", {}, word), ` by ${count(result.cases)} of ${plural(result.of, "case")}`), h("ul.reasons", {}, reasons.map((one) => h(`li.${one.outcome}`, {}, h("span.reason-mark", { "aria-hidden": "true" }, MARKS[one.outcome] ?? "·"), one.text)))];
}
