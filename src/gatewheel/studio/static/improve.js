// The Improve page: data, method, what it takes; then the run as it learns. Every choice and the run stand in the URL.

import { get, post } from "./api.js";
import { $, attempt, forgive, h, say, show } from "./dom.js";
import { command, cut, foresee, told } from "./foresight.js";
import { fullTime, when } from "./format.js";
import { walk } from "./keys.js";
import { about, forget, idOf, sets } from "./lesson.js";
import { advanced, changesOf, simple } from "./method.js";
import { bar, isOver, standing, words } from "./progress.js";
import { live } from "./tuning.js";

const FIELDS = ["data", "app", "table", "how", "view", "effort", "budget", "base", "run"];
const USUAL = { table: "lora", budget: "30" };
const PAST = 20;
const EVERY = 5_000; // milliseconds between two looks at tunings under way
let choices = null;
let old = false; // whether they may have changed since
const seen = new Map(); // choices as they are sent → what they would take
let turns = 0;
let watching = null;

function state() {
  const query = new URLSearchParams(location.search);
  const now = { ...Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? USUAL[name] ?? ""])), set: query.getAll("set") };
  const tunable = choices?.apps.filter((one) => !one.refused) ?? [];
  now.app ||= (tunable.find((one) => one.app === "main") ?? tunable[0])?.app ?? "main";
  if (choices?.apps.find((one) => one.app === now.app)?.no_turn) now.how = "";
  if (!(Number(now.budget) > 0)) now.budget = USUAL.budget;
  return now;
}

export function href(changes) {
  const { set, ...rest } = { ...state(), ...changes };
  const query = new URLSearchParams(Object.entries(rest).filter(([name, text]) => text && text !== USUAL[name] && !(name === "app" && text === "main")));
  for (const one of set) query.append("set", one);
  return query.size ? `/improve?${query}` : "/improve";
}

const look = attempt(async () => {
  forgive();
  const turn = ++turns;
  watching?.abort();
  if (!choices || old) {
    choices = await get("/api/improve");
    old = false;
  }
  if (turn !== turns) return;
  const now = state();
  $("choices").hidden = Boolean(now.run);
  $("another").hidden = !now.run;
  $("another").href = href({ run: "" });
  $("live").hidden = !now.run;
  pickApp(now);
  attempt(past)();
  if (now.run) await follow(now.run);
  else draw(now);
});

async function follow(id) {
  watching = new AbortController();
  const { signal } = watching;
  $("app-pick").hidden = true;
  await live(id, { element: $("live"), signal, apps: choices.apps, over: () => (renew(), attempt(past)()), named: (wanted) => {
    const { data, app, table, base, changes } = wanted;
    const set = Object.entries(changes ?? {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    $("another").href = href({ run: "", data, app, table, base: base ?? "", set, view: set.length ? "advanced" : "", how: wanted.budget ? "turn" : "", budget: wanted.budget ? `${wanted.budget / 60}` : "" });
  } });
}

// A run that is over leaves a suite, a version and a free machine that are not those of before
function renew() {
  old = true;
  seen.clear();
  forget();
}

function change(changes) {
  history.replaceState(null, "", href(changes));
  const quiet = Object.keys(changes).join() === "set"; // the fields stand as they were filled in
  draw(state(), quiet ? ["cost"] : "data" in changes ? undefined : ["method", "cost", ..."app" in changes ? ["data"] : []]);
}

function draw(now, parts = ["data", "method", "cost"]) {
  $("choices").hidden = false;
  const chosen = now.data && choices.sets.find((one) => [one.name, one.version, idOf(one)].includes(now.data));
  const app = choices.apps.find((one) => one.app === now.app);
  const ready = Boolean(chosen && !chosen.fault && !chosen.tainted.length);
  const focus = place();
  if (parts.includes("data")) show($("sets"), sets(choices, chosen ? idOf(chosen) : "", (data) => change({ data })), now.data && !chosen && h("p.problem", { role: "alert" }, `There is no set ${now.data}; choose one of these.`));
  $("about").hidden = !ready;
  $("method-part").hidden = !ready;
  $("cost-part").hidden = !ready;
  if (ready && parts.includes("data")) attempt(about)(idOf(chosen), app && !app.refused ? now.app : "", () => state().data === now.data && state().app === now.app);
  if (ready && parts.includes("method")) {
    show($("views"), ["", "advanced"].map((view) => h("button.button.small", { type: "button", "aria-pressed": `${now.view === view}`, data: { keep: `view ${view}` }, onclick: () => change({ view, ...(view ? {} : { base: "", set: [] }) }) }, view ? "Advanced" : "Simple")));
    show($("method"), app?.refused && h("p.problem", {}, app.refused), (now.view ? advanced : simple)(choices, now, app, change));
  }
  if (ready) cost(now, chosen, app);
  back(focus);
}

// What is drawn anew takes the focus with it, so that the same thing gets it back
function place() {
  const at = document.activeElement;
  if (at?.dataset?.keep) return `[data-keep="${CSS.escape(at.dataset.keep)}"]`;
  if (at?.type === "radio") return `input[name="${at.name}"]:checked`;
  return at?.id ? `#${CSS.escape(at.id)}` : "";
}

function back(selector) {
  const at = selector && document.querySelector(selector);
  if (at && at !== document.activeElement) at.focus({ preventScroll: true });
}

// What is sent: a tuning, and for a whole turn what else that takes
function wanted(now, chosen) {
  const data = idOf(chosen);
  const changes = changesOf(choices, now);
  const minutes = now.view === "advanced" && now.how !== "turn" ? 0 : Number(now.budget);
  return { body: { data, table: now.table, app: now.app, base: now.how === "turn" ? "" : now.base, changes }, minutes };
}

function cost(now, chosen, app) {
  const { body, minutes } = wanted(now, chosen);
  const key = JSON.stringify(body);
  const known = seen.get(key);
  const limit = known ? cut(known, { minutes, how: now.how }) : null;
  const version = now.how === "turn" && chosen.version;
  const may = known?.fits && limit !== 0 && !version;
  const changes = limit && now.how !== "turn" ? { ...body.changes, steps: limit } : body.changes;
  $("cost-problem").textContent = version ? "A whole turn learns from a suite, since it harvests into it: choose one, not a version." : "";
  $("foresee").hidden = Boolean(known) || Boolean(version);
  $("begin").hidden = !may;
  $("begin").textContent = now.how === "turn" ? "Turn the wheel" : "Begin to tune";
  if (known) show($("cost"), told(known, limit, now.how));
  else show($("cost"), h("p.soft", {}, "A few steps are tried, which takes some seconds; then this says what all of it needs, and whether that fits this machine."));
  $("command").textContent = command({ ...body, how: now.how, changes, minutes });
  $("foresee").disabled = Boolean(app?.refused && !body.base);
  $("choices").onsubmit = (event) => {
    event.preventDefault();
    if (!$("begin").hidden) return;
    ask(body, key);
  };
  $("begin").onclick = attempt(async () => {
    $("begin").disabled = true;
    try {
      const what = now.how === "turn" ? { app: body.app, data: body.data, table: body.table, budget: minutes * 60, changes } : { ...body, changes };
      const { run } = await post(now.how === "turn" ? "/api/improve/turns" : "/api/improve/tunings", what);
      history.pushState(null, "", `/improve?run=${encodeURIComponent(run)}`);
      say("It has begun.");
      await look();
      scrollTo({ top: 0 });
    } finally {
      $("begin").disabled = false;
    }
  });
}

async function ask(body, key) {
  const now = () => {
    const chosen = choices.sets.find((one) => idOf(one) === body.data);
    return chosen && !state().run && JSON.stringify(wanted(state(), chosen).body) === key;
  };
  $("foresee").disabled = true;
  $("cost-problem").textContent = "";
  show($("cost"), h("p", { role: "status" }, "Trying a few steps on this machine …"), h("progress", { "aria-label": "Trying a few steps" }));
  try {
    const found = await foresee(body, now);
    if (!found) return;
    seen.set(key, found);
    draw(state(), ["cost"]);
    say(found.untold ? "It was not tried." : found.fits ? "It fits." : "It does not fit this machine.");
    if (!$("begin").hidden) $("begin").focus({ preventScroll: true });
  } catch (error) {
    if (!now()) return;
    draw(state(), ["cost"]);
    $("cost-problem").textContent = `${error.message}.`.replace(/\.\.$/, ".");
  } finally {
    $("foresee").disabled = false;
  }
}

function pickApp(now) {
  const names = choices.apps.filter((one) => !one.refused || one.app === now.app).map((one) => one.app);
  $("app").replaceChildren(...names.map((name) => h("option", { value: name, selected: name === now.app }, name)));
  $("app-pick").hidden = names.length < 2 || Boolean(now.run);
}

let drawn = "";
let going = []; // ids of those under way

async function past() {
  const found = (await Promise.all(["finetune", "improve"].map((kind) => get("/api/runs", { kind, limit: PAST })))).flatMap((one) => one.runs);
  const runs = found.sort((a, b) => b.created - a.created).slice(0, PAST);
  const now = runs.filter((run) => !isOver(run)).map((run) => run.id);
  if (going.some((id) => !now.includes(id))) renew();
  going = now;
  $("past-part").hidden = !runs.length;
  const shown = state().run;
  const key = JSON.stringify([shown, runs.map((run) => [run.id, standing(run), run.id !== shown && run.progress])]);
  if (key === drawn) return;
  drawn = key;
  const focused = document.activeElement?.closest?.("#past") && document.activeElement.getAttribute("href");
  show($("past"), runs.map((run) => {
    const here = shown === run.id;
    const tag = run.state === "failed" ? "span.tag.bad" : isOver(run) ? "span.tag" : "span.tag.on";
    const open = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      history.pushState(null, "", event.currentTarget.href);
      look().then(() => scrollTo({ top: 0 }));
    };
    return h(
      "li.row",
      {},
      h("div.row-main", {}, h("a.row-link", { href: `/improve?run=${encodeURIComponent(run.id)}`, "aria-current": here ? "true" : null, onclick: open }, run.kind === "improve" ? "Whole turn: " : "", run.about), isOver(run) || here ? h("p.row-more", {}, here ? "shown above" : words(run)) : bar(run)),
      h("div.row-end", {}, h(tag, {}, standing(run)), h("time", { datetime: new Date(run.created * 1000).toISOString(), title: fullTime(run.created) }, when(run.created))),
    );
  }));
  if (focused) document.querySelector(`#past [href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

$("app").addEventListener("change", () => change({ app: $("app").value, base: "" }));
$("another").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", $("another").href);
  look();
});
walk("#past .row-link");
window.addEventListener("popstate", look);
setInterval(() => document.hidden || !going.length || past().catch(() => {}), EVERY);
look();
