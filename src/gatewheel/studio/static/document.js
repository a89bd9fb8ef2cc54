// One document with its passages; ?span= is highlighted, j and k go through the passages.

import { documentPath, get } from "./api.js";
import { $, attempt, h, show } from "./dom.js";
import { count, plural } from "./format.js";
import { bind } from "./keys.js";
import { reader } from "./reader.js";
import { parseSpan } from "./segments.js";

const source = decodeURIComponent(location.pathname.slice("/documents/".length));
const span = parseSpan(new URLSearchParams(location.search).get("span"));

function moved([start, end]) {
  history.replaceState(null, "", `${location.pathname}?span=${start}-${end}`);
}

attempt(async () => {
  const doc = await get(`/api/documents/${documentPath(source)}`);
  const title = doc.title || source;
  document.title = `${title} · Gatewheel`;
  const read = reader(doc, { span, onMove: moved });
  const facts = [doc.format, doc.language, doc.pages.length > 1 && plural(doc.pages.length, "page"), plural(doc.passages.length, "passage"), `${count(doc.text.length)} characters`];
  show(
    $("document"),
    h("header.document-head", {}, h("h1", { id: "title" }, title), doc.title && h("p.mono.soft", {}, source), h("p.soft", {}, facts.filter(Boolean).join(" · "))),
    h(
      "nav.document-nav",
      { "aria-label": "Passages" },
      h("button.button.small", { type: "button", onclick: read.previous }, "Previous passage"),
      h("button.button.small", { type: "button", onclick: read.next }, "Next passage"),
    ),
    read.element,
  );
  bind("j", read.next);
  bind("k", read.previous);
  read.open();
})();
