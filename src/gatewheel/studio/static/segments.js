// Cuts a document into the blocks that are drawn: its passages in order, each character once, gaps between them too.

const MOST = 6000; // characters in a block; a longer gap is cut, so that no single block is slow to draw

// → [{start, end, passage: {…} | null}], which together cover 0…text.length
export function segments(text, passages) {
  const made = [];
  let at = 0;
  const plain = (to) => {
    while (at < to) {
      const end = Math.min(to, at + MOST);
      made.push({ start: at, end, passage: null });
      at = end;
    }
  };
  for (const passage of [...passages].sort((a, b) => a.span[0] - b.span[0])) {
    if (passage.span[1] <= at) continue; // wholly inside the one before
    plain(passage.span[0]);
    made.push({ start: at, end: passage.span[1], passage });
    at = passage.span[1];
  }
  plain(text.length);
  return made.filter(({ start, end, passage }) => passage || text.slice(start, end).trim());
}

// Offsets of the API count characters as Python does; JavaScript counts UTF-16 units. Returns a function from the
// first to the second. Texts without characters beyond the basic plane, nearly all, need no table.
export function units(text) {
  const pairs = [];
  for (const match of text.matchAll(/[\u{10000}-\u{10FFFF}]/gu)) pairs.push(match.index - pairs.length);
  if (!pairs.length) return (offset) => offset;
  return (offset) => {
    let low = 0;
    let high = pairs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[middle] < offset) low = middle + 1;
      else high = middle;
    }
    return offset + low;
  };
}

// The part of [start, end) that lies in the highlighted span, as three texts: before, inside, after
export function split(text, { start, end }, span) {
  const from = Math.min(end, Math.max(start, span ? span[0] : end));
  const to = Math.min(end, Math.max(from, span ? span[1] : end));
  return [text.slice(start, from), text.slice(from, to), text.slice(to, end)];
}

// "120-340" → [120, 340], null when it is no span
export function parseSpan(value) {
  const match = /^(\d+)-(\d+)$/.exec(value ?? "");
  return match && Number(match[1]) < Number(match[2]) ? [Number(match[1]), Number(match[2])] : null;
}
