// The list of documents, what was left out and why, adding files and reading again.

import { documentHref, documentPath, get, post, remove, upload, withQuery } from "./api.js";
import { $, attempt, forgive, h, say, show } from "./dom.js";
import { count, fileName, plural } from "./format.js";
import { bar, follow, words } from "./progress.js";

const SIZE = 50;
const query = new URLSearchParams(location.search);
const page = Math.max(1, Number.parseInt(query.get("page") ?? "1", 10) || 1);
const q = query.get("q") ?? "";

async function list() {
  const found = await get("/api/documents", { q, page, size: SIZE });
  summary(found);
  if (found.documents.length) show($("list"), found.documents.map(row));
  else show($("list"), nothing());
  $("drop").removeAttribute("aria-busy");
  paging(found.total);
  $("errors").hidden = !found.errors.length;
  $("error-list").replaceChildren(...found.errors.map(({ source, reason }) => h("li.row.plain", {}, h("div.row-main", {}, h("span.mono", {}, source), h("p.row-more", {}, reason)))));
}

function summary({ total, errors, files }) {
  const parts = [q ? `${plural(total, "document")} match` : plural(total, "document")];
  if (errors.length) parts.push(`${plural(errors.length, "file")} left out`);
  if (files.outdated) parts.push("read by older settings: read them again");
  $("summary").textContent = parts.join(" · ");
}

function row({ source, title, format, language, passages, characters, groups }) {
  return h(
    "li.row",
    {},
    h("div.row-main", {}, h("a.row-link", { href: documentHref(source) }, title || fileName(source)), h("p.row-facts", {}, h("span.mono", {}, source), groups.map((group) => h("span.tag", { title: "only for this group" }, group)))),
    h(
      "div.row-end",
      {},
      h("span", {}, plural(passages, "passage")),
      h("span", {}, [format, language, `${count(characters)} characters`].filter(Boolean).join(" · ")),
      source.startsWith("uploads/") && h("button.button.small", { type: "button", "aria-label": `Remove ${source}`, onclick: attempt((event) => drop(source, event.target)) }, "Remove"),
    ),
  );
}

function nothing() {
  if (q) return h("li.empty", {}, h("h2", {}, "No document has that in its name or title"), h("p.soft", {}, "To search in the text of documents, ask."), h("a.button", { href: "/documents" }, "Show all"));
  return h("li.empty", {}, h("h2", {}, "No documents yet"), h("p.soft", {}, "Drop files here or press Add files. Markdown, text, HTML, PDF, DOCX, PPTX, notebooks, CSV, JSONL and source code can be read; the folders of [sources] are read too."));
}

function paging(total) {
  const last = Math.max(1, Math.ceil(total / SIZE));
  if (last === 1) return;
  const link = (to, words_) => (to < 1 || to > last ? h("span") : h("a", { href: withQuery("/documents", { q, page: to === 1 ? "" : to }) }, words_));
  show($("paging"), link(page - 1, "Previous"), h("span", {}, `Page ${page} of ${last}`), link(page + 1, "Next"));
}

// The first press asks, the second does it.
async function drop(source, button) {
  if (button.dataset.sure !== "yes") {
    button.dataset.sure = "yes";
    button.replaceChildren("Remove for good");
    button.setAttribute("aria-label", `Remove ${source} for good`);
    return;
  }
  button.disabled = true;
  const done = await remove(`/api/documents/${documentPath(source)}`);
  await watch(done?.run);
}

async function watch(id) {
  if (!id) return list();
  $("again").disabled = true;
  say("Reading has begun.");
  try {
    const last = await follow(id, (run) => show($("run"), h("div.run-now", {}, bar(run), h("a", { href: `/runs/${encodeURIComponent(id)}` }, "The run"))));
    say(last ? `Reading is over: ${words(last)}` : "");
  } finally {
    $("again").disabled = false;
  }
  return list();
}

const add = attempt(async (files) => {
  if (!files.length) return;
  forgive();
  $("refused").hidden = true;
  const { run, refused } = await upload("/api/documents", files);
  if (refused.length) show($("refused"), h("div.notice", { role: "alert" }, h("ul", {}, refused.map(({ source, reason }) => h("li", {}, h("strong", {}, source), `: ${reason}`)))));
  $("files").value = "";
  await watch(run);
});

function takeDrops() {
  let depth = 0;
  const over = (on) => $("drop").classList.toggle("over", on);
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => carries(event) && over(++depth > 0));
  document.addEventListener("dragleave", (event) => carries(event) && over(--depth > 0));
  document.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    over(false);
    add(event.dataTransfer.files);
  });
}

$("q").value = q;
$("files").addEventListener("change", () => add($("files").files));
$("again").addEventListener("click", attempt(async () => {
  forgive();
  await watch((await post("/api/ingest", {})).run);
}));
takeDrops();
attempt(list)();
