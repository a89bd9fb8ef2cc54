// The document beside an answer, at the cited words. On narrow screens there is no room: the link is followed.

import { documentHref, documentPath, get } from "./api.js";
import { $, attempt, h, show } from "./dom.js";
import { reader } from "./reader.js";

const WIDE = matchMedia("(min-width: 68rem)");
let opener = null;
let stopWatching = null;

// True when the panel takes the citation over from the link.
export function openSide(citation, chip) {
  if (!WIDE.matches) return false;
  opener?.removeAttribute("aria-expanded");
  opener = chip;
  chip.setAttribute("aria-expanded", "true");
  fill(citation);
  return true;
}

export function closeSide() {
  if ($("side").hidden) return;
  stopWatching?.();
  $("side").hidden = true;
  $("side").replaceChildren();
  document.body.classList.remove("with-side");
  opener?.removeAttribute("aria-expanded");
  opener?.focus();
  opener = null;
}

const fill = attempt(async (citation) => {
  const doc = await get(`/api/documents/${documentPath(citation.source)}`);
  stopWatching?.();
  const scroller = h("div.side-scroll", { tabindex: "0", "aria-label": "Text of the document" });
  const read = reader(doc, { span: citation.span, scroller });
  scroller.append(read.element);
  const close = h("button.button.small", { type: "button", onclick: closeSide }, "Close");
  document.body.classList.add("with-side");
  show(
    $("side"),
    h("header.side-head", {}, h("div", {}, h("h2", {}, doc.title || citation.source), h("a", { href: documentHref(citation.source, citation.span) }, "Open the page")), close),
    scroller,
  );
  stopWatching = read.open();
  close.focus({ preventScroll: true });
});
