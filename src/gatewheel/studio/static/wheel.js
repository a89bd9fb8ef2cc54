// The first page: where the project stands, and the one thing to do next.

import { get } from "./api.js";
import { dial } from "./dial.js";
import { $, attempt, h, show } from "./dom.js";
import { count, plural, short } from "./format.js";

const DO = {
  documents: "Open documents",
  ask: "Ask a question",
  feedback: "Look at the answers",
  evaluate: "Open evaluate",
  improve: "Open improve",
  release: "Open release",
};

// name → what stands on the dial, where it leads, and a sentence about it
function stations(wheel) {
  const { documents, asks, feedback, evaluate, improve, release } = wheel;
  const said = feedback.up + feedback.down + feedback.corrections;
  return {
    documents: { count: count(documents.count), href: "/documents", text: documentsText(documents), problem: documents.errors ? `${plural(documents.errors, "file")} left out` : "" },
    ask: { count: count(asks.week), href: "/ask", text: asksText(asks) },
    feedback: {
      count: count(said),
      href: feedback.down ? "/traces?thumb=down" : "/traces",
      text: said ? `${feedback.up} up, ${feedback.down} down, ${plural(feedback.corrections, "correction")}` : "nobody has said anything yet",
    },
    evaluate: { count: count(evaluate.reports), href: "/evaluate", text: evaluateText(evaluate) },
    improve: { count: count(improve.candidates), href: "/improve", text: improve.candidates ? `${plural(improve.candidates, "other variant")} known; tune another one on your cases` : "no other variant yet: tune one on your cases" },
    release: { count: release.current ? short(release.current).slice(0, 4) : "–", href: "/release", text: release.current ? `${short(release.current)} is released` : "nothing is released: what the file says answers" },
  };
}

function evaluateText({ suites, reports }) {
  if (!suites && !reports) return "no suite yet: cases with what you expect of their answers";
  return `${plural(suites, "suite")}, ${reports ? plural(reports, "report") : "none is scored yet"}`;
}

function documentsText({ count: number, passages, outdated }) {
  if (!number) return "none yet";
  return `${plural(passages, "passage")} ready${outdated ? "; read by older settings, so read them again" : ""}`;
}

function asksText({ today, week, abstained_week: abstained }) {
  if (!week) return "no questions this week";
  return `${plural(week, "question")} this week, ${count(today)} today; ${count(abstained)} without an answer`;
}

const EVERY = 10_000; // milliseconds between two looks
let shown = "";

async function look() {
  const wheel = await get("/api/wheel");
  if (JSON.stringify(wheel) === shown) return;
  shown = JSON.stringify(wheel);
  const made = Object.entries(stations(wheel)).map(([name, station]) => ({
    ...station,
    name,
    label: `${station.count} ${name}: ${station.text}`,
    next: wheel.next.station === name,
  }));
  const focused = document.activeElement?.dataset?.station;
  show($("dial"), dial(made, { name: "The wheel of six stations" }));
  if (focused) document.querySelector(`[data-station=${focused}]`).focus();
  $("project").textContent = wheel.project;
  show($("variant"), "Variant ", h("span.mono", { title: wheel.variant }, short(wheel.variant)));
  $("next-text").textContent = wheel.next.text;
  $("next").href = new URL(wheel.next.href, location.origin).origin === location.origin ? wheel.next.href : "/";
  show($("next"), wheel.next.href.startsWith("/traces") ? "See those answers" : DO[wheel.next.station]);
  show($("stations"), made.map(({ name, text, problem }) => h("div", {}, h("dt", {}, name), h("dd", {}, text, problem && h("span.problem", {}, `; ${problem}`)))));
  document.querySelector(".wheel").removeAttribute("aria-busy");
}

attempt(look)();
setInterval(() => document.hidden || look().catch(() => {}), EVERY);
document.addEventListener("visibilitychange", () => document.hidden || look().catch(() => {}));
