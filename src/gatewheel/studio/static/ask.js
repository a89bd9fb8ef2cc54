// Ask with a conversation in the URL: ?q=first&q=second&app=main&compare=other. A reload shows it again as it was.

import { get } from "./api.js";
import { answerPanel } from "./answer.js";
import { $, attempt, forgive, h, say } from "./dom.js";
import { bind } from "./keys.js";
import { recall, remember } from "./recall.js";
import { closeSide, openSide } from "./side.js";

const MAIN = "main";
const SUGGESTED = 4;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const state = { apps: [MAIN], questions: [], histories: new Map(), running: new Set() };

function read() {
  const query = new URLSearchParams(location.search);
  state.apps = [...new Set([query.get("app") || MAIN, query.get("compare")].filter(Boolean))];
  state.questions = query.getAll("q").filter((question) => question.trim());
  state.histories = new Map(state.apps.map((app) => [app, []]));
}

function address(questions = state.questions) {
  const query = new URLSearchParams(questions.map((question) => ["q", question]));
  if (state.apps[0] !== MAIN) query.set("app", state.apps[0]);
  if (state.apps[1]) query.set("compare", state.apps[1]);
  return `/ask${query.size ? `?${query}` : ""}`;
}

// One question to every chosen app; what was answered before in this tab is shown without asking again.
async function turn(question, asked) {
  const panels = state.apps.map((app) => ({ app, panel: answerPanel(app, { named: state.apps.length > 1, onCite: openSide }) }));
  const grid = h(`div.answers${panels.length > 1 ? ".two" : ""}`, {}, panels.map(({ panel }) => panel.element));
  const item = h("li.turn", {}, h("h2.turn-question", {}, question), grid);
  $("turns").append(item);
  $("opening").hidden = true;
  busy(panels.map(({ panel }) => panel), true);
  await Promise.all(panels.map((one) => answer(one, question, asked)));
  busy(panels.map(({ panel }) => panel), false);
  return item;
}

async function answer({ app, panel }, question, asked) {
  const history = state.histories.get(app);
  const known = recall(app, asked);
  const got = known ?? (await panel.stream({ question, history: [...history] }));
  if (known) panel.show(known);
  if (!got) return;
  if (!known) {
    remember(app, asked, got);
    say(`Answer: ${got.answer}`);
  }
  history.push({ role: "user", content: question });
  // an abstention is not something that was said
  if (!got.abstained) history.push({ role: "assistant", content: got.answer.replace(/\s*\[\d+\]/g, "") });
}

function busy(panels, on) {
  for (const panel of panels) state.running[on ? "add" : "delete"](panel);
  const any = state.running.size > 0;
  $("stop").hidden = !any;
  $("send").hidden = any;
  $("fresh").hidden = any || !state.questions.length;
}

function stop() {
  for (const panel of state.running) panel.stop();
}

const submit = attempt(async () => {
  const question = $("question").value.trim();
  if (!question || state.running.size) return;
  forgive();
  $("question").value = "";
  grow();
  state.questions = [...state.questions, question];
  history.pushState(null, "", address());
  document.title = `${question} · Gatewheel`;
  const done = turn(question, state.questions);
  $("turns").lastElementChild.scrollIntoView({ block: "start", behavior: STILL.matches ? "auto" : "smooth" });
  await done;
  $("question").focus({ preventScroll: true });
});

const restore = attempt(async () => {
  stop();
  closeSide();
  read();
  $("turns").replaceChildren();
  $("opening").hidden = state.questions.length > 0;
  $("fresh").hidden = !state.questions.length;
  $("fresh").href = address([]);
  document.title = `${state.questions.at(-1) ?? "Ask"} · Gatewheel`;
  const foreign = document.body.hasAttribute("data-foreign") && !recall(state.apps[0], state.questions);
  if (foreign && state.questions.length) {
    $("question").value = state.questions.pop();
    state.questions = [];
    say("A link from elsewhere filled in this question. Send it to get an answer.");
    return;
  }
  for (const [at, question] of state.questions.entries()) await turn(question, state.questions.slice(0, at + 1));
});

async function chooseApps() {
  const { apps } = await get("/api/apps");
  if (apps.length < 2 && !state.apps[1]) return;
  const option = (app) => h("option", { value: app.name, title: `${app.model}, ${app.mode}` }, app.name);
  $("app").append(...apps.map(option));
  $("compare").append(h("option", { value: "" }, "nothing"), ...apps.map(option));
  $("app").value = state.apps[0];
  $("compare").value = state.apps[1] ?? "";
  $("apps").hidden = false;
  for (const field of ["app", "compare"]) {
    $(field).addEventListener("change", () => {
      state.apps = [...new Set([$("app").value, $("compare").value].filter(Boolean))];
      history.pushState(null, "", address());
      restore();
    });
  }
}

// What was asked here before and answered; whoever may not see traces gets none.
async function suggest() {
  const { documents } = await get("/api/wheel");
  if (!documents.count) {
    $("suggestions").append(h("li", {}, "There are no documents yet. ", h("a", { href: "/documents" }, "Add some first")));
    return;
  }
  const { traces } = await get("/api/traces", { abstained: false, limit: 30 }).catch(() => ({ traces: [] }));
  const asked = [...new Set(traces.filter((trace) => trace.kind === "ask" && !trace.error).map((trace) => trace.question))];
  if (asked.length) $("suggestions").before(h("p.eyebrow.opening-before", {}, "Asked before"));
  $("suggestions").append(...asked.slice(0, SUGGESTED).map((question) => h("li", {}, h("a", { href: address([question]) }, question))));
}

function grow() {
  const field = $("question");
  field.style.setProperty("height", "auto");
  field.style.setProperty("height", `${Math.min(field.scrollHeight + 2, innerHeight / 3)}px`);
}

$("asker").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("question").addEventListener("input", grow);
$("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
  if (event.key === "Escape") stop();
});
$("stop").addEventListener("click", stop);
bind("Escape", () => (state.running.size ? stop() : closeSide()));
window.addEventListener("popstate", restore);

restore();
attempt(chooseApps)();
if (!state.questions.length) {
  attempt(suggest)();
  $("question").focus();
}
