// The list of runs; those under way are followed.

import { get } from "./api.js";
import { $, attempt, h, show } from "./dom.js";
import { fullTime, seconds, when } from "./format.js";
import { bar, follow, isOver, standing, words } from "./progress.js";

const FOLLOWED = 2;

function fill(item, run) {
  const until = run.ended ?? (isOver(run) ? null : Date.now() / 1000); // nobody knows when a process went
  const took = run.started && until && until - run.started;
  const tag = run.state === "failed" ? "span.tag.bad" : isOver(run) ? "span.tag" : "span.tag.on";
  const kept = item.querySelector(".row-link") ?? h("a.row-link", { href: `/runs/${encodeURIComponent(run.id)}` }, run.kind, " ", run.about && h("span", {}, `${run.about} `), h("span.mono", {}, run.id));
  const focused = document.activeElement === kept;
  item.replaceChildren(
    h("div.row-main", {}, kept, isOver(run) ? h("p.row-more", {}, words(run)) : bar(run)),
    h("div.row-end", {}, h(tag, {}, standing(run)), h("time", { datetime: new Date(run.created * 1000).toISOString(), title: fullTime(run.created) }, when(run.created)), h("span", {}, took ? seconds(took) : "")),
  );
  if (focused) kept.focus({ preventScroll: true });
}

async function list() {
  const { runs } = await get("/api/runs", { limit: 50 });
  const rows = runs.map((run) => {
    const item = h("li.row");
    fill(item, run);
    return { run, item };
  });
  show($("list"), rows.length ? rows.map(({ item }) => item) : h("li.empty", {}, h("h2", {}, "No long work yet"), h("p.soft", {}, "Reading documents is the first: it shows here as it goes, and can be stopped and resumed."), h("a.button.primary", { href: "/documents" }, "To the documents")));
  // runs go one after another, and a browser has six connections: the first few are enough to follow
  const live = rows.filter(({ run }) => !isOver(run));
  await Promise.all(live.slice(0, FOLLOWED).map(({ run, item }) => follow(run.id, (now) => fill(item, now))));
  if (live.length > FOLLOWED) await list();
}

attempt(list)();
