// Runs a suite: who is asked and how many cases, what that can tell, and the run as it goes on.

import { get, post, withQuery } from "./api.js";
import { $, attempt, forgive, h, say, show } from "./dom.js";
import { value } from "./figures.js";
import { count, plural } from "./format.js";
import { bar, follow, isOver, words } from "./progress.js";

const WAIT = 250; // milliseconds after the last digit of a number
let following = "";

// Opens the dialog for a suite; over(reports) is called with the ids of the reports that were made.
export async function ask(suite, over) {
  forgive();
  const before = document.activeElement;
  const known = await foresee(suite, 0);
  $("asking-title").textContent = `Run ${suite}`;
  $("asking-problem").textContent = "";
  $("limit").value = "";
  const box = (kind, name) => h("label.check", {}, h("input", { type: "checkbox", name: kind, value: name, checked: known.target === `${kind} ${name}` }), h("span", {}, h("span.soft", {}, `${kind} `), name));
  show($("targets"), h("legend", {}, "Who is asked"), known.apps.map((name) => box("app", name)), h("details.models", { open: known.target.startsWith("model ") }, h("summary", {}, "Models by themselves, without documents"), known.models.map((name) => box("model", name))));
  told(known);
  let timer = 0;
  let turn = 0; // of two answers under way the one to the last number counts
  $("limit").oninput = () => {
    clearTimeout(timer);
    const mine = ++turn;
    if (refuse(known.of)) return;
    timer = setTimeout(async () => {
      try {
        const now = await foresee(suite, Number($("limit").value));
        if (mine === turn) told(now);
      } catch (error) {
        $("asking-problem").textContent = error.message; // a banner would stand behind the dialog
      }
    }, WAIT);
  };
  $("asking-form").onsubmit = (event) => {
    event.preventDefault();
    if (refuse(known.of)) $("limit").focus();
    else begin(suite, over);
  };
  $("asking-no").onclick = () => $("asking").close();
  $("asking").onclose = () => (before?.isConnected ? before : $("main")).focus();
  $("asking").showModal();
}

// Whether so many cases cannot be asked; says why
function refuse(of) {
  const { value: text, validity } = $("limit");
  const number = Number(text);
  const wrong = validity.badInput || (text !== "" && !(Number.isInteger(number) && number >= 1));
  $("limit").setAttribute("aria-invalid", `${wrong}`);
  $("asking-problem").textContent = wrong ? `Give a whole number of cases from 1 to ${count(of)}, or none for all of them.` : "";
  return wrong;
}

async function begin(suite, over) {
  const named = (kind) => [...document.querySelectorAll(`#targets [name=${kind}]:checked`)].map((box) => box.value);
  const [apps, models] = [named("app"), named("model")];
  $("asking-problem").textContent = apps.length || models.length ? "" : "Choose somebody to ask.";
  if (!apps.length && !models.length) return;
  $("asking-yes").disabled = true;
  try {
    const { run } = await post(`/api/evals/suites/${encodeURIComponent(suite)}/run`, { apps, models, limit: Number($("limit").value) || 0 });
    $("asking").close();
    say("The evaluation has begun.");
    watch(run, over);
  } catch (error) {
    $("asking-problem").textContent = error.message;
  } finally {
    $("asking-yes").disabled = false;
  }
}

function foresee(suite, limit) {
  return get(withQuery(`/api/evals/suites/${encodeURIComponent(suite)}`, { limit: limit || "" }));
}

function told({ cases, of, tells }) {
  const many = Number($("limit").value) > of ? `The suite has no more than ${plural(of, "case")}: all of them are asked` : `${cases < of ? `${count(cases)} of ` : ""}${plural(of, "case")}`;
  $("asking-about").textContent = `${many}. What was answered once is not asked again.`;
  const sure = tells.filter((one) => one.difference !== null);
  if (!sure.length) return show($("tells"), h("p.soft", {}, "Nothing can be told yet of how small a difference so many cases show."));
  return show($("tells"), h("p.soft", {}, "The smallest difference that is found four times in five:"), h("dl.tells", {}, sure.map((one) => h("div", {}, h("dt", {}, one.metric), h("dd", {}, apart(one))))));
}

function apart({ difference, bounds }) {
  const share = bounds[0] === 0 && bounds[1] === 1;
  return share ? `${(difference * 100).toPrecision(2).replace(/\.0$/, "")} points` : value(difference, { bounds });
}

// Follows a run until it is over, also one that was begun elsewhere.
export const watch = attempt(async (id, over) => {
  following = id;
  const stop = h("button.button.small", { type: "button", onclick: attempt(async () => {
    stop.disabled = true;
    try {
      await post(`/api/runs/${encodeURIComponent(id)}/cancel`);
    } finally {
      stop.disabled = false;
    }
  }) }, "Cancel");
  const link = h("a", { href: `/runs/${encodeURIComponent(id)}` }, "The run");
  const about = h("p.run-about");
  const far = h("div");
  let drawn = false;
  const last = await follow(id, (run) => {
    if (following !== id) return;
    about.textContent = run.about;
    far.replaceChildren(bar(run));
    stop.hidden = isOver(run) || run.cancelling;
    if (!drawn) show($("run"), h("div.run-now", {}, about, far, h("p.run-end", {}, link, stop)));
    drawn = true; // what is drawn anew with each step cannot be pressed, nor keep the focus
  });
  if (following !== id || !last) return;
  say(`It is over: ${words(last)}`);
  if (last.state === "done") $("run").hidden = true;
  await over(last);
});

// The run of a kind that is under way, if there is one; with `about` that of this
export async function underWay(kind, about = "") {
  const { runs } = await get("/api/runs", { kind, limit: 10 });
  return runs.find((run) => !isOver(run) && (!about || run.about === about))?.id ?? "";
}
