// Shows a document as its passages, with a span highlighted. Draws only what is near; the rest comes as one scrolls.

import { h } from "./dom.js";
import { plural } from "./format.js";
import { segments, split, units } from "./segments.js";

const BEFORE = 4;
const BATCH = 16;

// doc as the API gives it; span in the API's characters. `scroller` is what scrolls: null for the page.
export function reader(doc, { span, scroller = null, onMove = () => {} }) {
  const unit = units(doc.text);
  const inUnits = (pair) => pair.map(unit);
  const passages = doc.passages.map((passage) => ({ ...passage, shown: passage.span, span: inUnits(passage.span) }));
  const all = segments(doc.text, passages);
  const marked = span ? inUnits(span) : null;
  const target = marked ? Math.max(0, all.findIndex((segment) => segment.end > marked[0])) : 0;
  const view = { low: Math.max(0, target - BEFORE), high: 0, current: target };
  view.high = view.low;

  const blocks = h("div.blocks");
  const top = h("div.sentinel");
  const bottom = h("div.sentinel");
  const element = h(`div.reader${monospaced(doc) ? ".code" : ""}`, {}, top, blocks, bottom);

  function after(count) {
    const from = view.high;
    view.high = Math.min(all.length, from + count);
    blocks.append(...range(from, view.high));
  }

  function before(count) {
    const to = view.low;
    if (!to) return;
    view.low = Math.max(0, to - count);
    const moving = scroller ?? document.scrollingElement;
    const height = moving.scrollHeight;
    blocks.prepend(...range(view.low, to));
    moving.scrollTop += moving.scrollHeight - height; // what one reads stays where it is
  }

  function range(from, to) {
    return all.slice(from, to).map((segment, index) => block(doc, segment, all[from + index - 1], marked));
  }

  function go(by) {
    const wanted = view.current + by;
    if (wanted < 0 || wanted >= all.length) return;
    if (wanted < view.low) before(BATCH);
    if (wanted >= view.high) after(BATCH);
    view.current = wanted;
    const next = blocks.children[wanted - view.low];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
    if (all[wanted].passage) onMove(all[wanted].passage.shown);
  }

  function open() {
    const mark = blocks.querySelector("mark");
    if (mark && scroller) scroller.scrollTop += mark.getBoundingClientRect().top - scroller.getBoundingClientRect().top - scroller.clientHeight / 3;
    else mark?.scrollIntoView({ block: "center" });
    const watch = new IntersectionObserver(
      (seen) => {
        for (const { target: edge } of seen.filter((entry) => entry.isIntersecting)) {
          if (edge === top ? view.low === 0 : view.high === all.length) continue;
          if (edge === top) before(BATCH);
          else after(BATCH);
          watch.unobserve(edge); // a batch of short blocks may leave the edge in sight: look again
          watch.observe(edge);
        }
      },
      { root: scroller, rootMargin: "600px" },
    );
    watch.observe(top);
    watch.observe(bottom);
    return () => watch.disconnect();
  }

  after(view.current - view.low + BATCH);
  return { element, open, next: () => go(1), previous: () => go(-1), size: all.length };
}

// all that stands above, between and beside the text of one passage
function block(doc, segment, previous, marked) {
  const { passage } = segment;
  const [head, inside, tail] = split(doc.text, segment, marked);
  const body = h("div.block-text", {}, head, inside && h("mark", {}, inside), tail);
  if (!passage) return h("div.block.gap", { tabindex: "-1" }, h("div.block-side"), body);
  const page = passage.page && passage.page !== previous?.passage?.page ? h("span.block-page", {}, `Page ${passage.page}`) : null;
  const heading = passage.heading && passage.heading !== previous?.passage?.heading ? h("span.block-heading", {}, passage.heading) : null;
  const facts = [h("span", {}, `${passage.shown[0]}–${passage.shown[1]}`), h("span", {}, plural(passage.tokens, "token"))];
  return h("div.block", { role: "group", tabindex: "-1", "aria-label": label(passage), data: { id: passage.id } }, h("div.block-side", {}, page, heading, facts), body);
}

function label(passage) {
  return ["Passage", passage.page && `page ${passage.page}`, passage.heading].filter(Boolean).join(", ");
}

function monospaced(doc) {
  return ["code", "table", "csv", "jsonl", "notebook"].includes(doc.format);
}
