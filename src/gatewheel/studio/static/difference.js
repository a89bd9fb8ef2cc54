// Two texts as words that stayed, went and came. Knows nothing about what they mean.

import { h } from "./dom.js";

const MOST = 1500; // words: the table of both has their product of cells

// What `after` has otherwise than `before`, as nodes with <del> and <ins>; null when the words are the same
export function difference(before, after) {
  const steps = words(before, after);
  if (!steps) return after;
  if (steps.every(([kind]) => kind === "same")) return null;
  return steps.map(([kind, text]) => (kind === "same" ? text : h(kind === "went" ? "del" : "ins", {}, text)));
}

// [["same" | "went" | "came", text], …] by the longest common subsequence; null where it would take too long
export function words(before, after) {
  const [left, right] = [before, after].map((text) => text.match(/\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? []);
  if (left.length > MOST || right.length > MOST) return null;
  const wide = right.length + 1;
  const length = new Uint16Array((left.length + 1) * wide);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      const at = i * wide + j;
      length[at] = left[i] === right[j] ? length[at + wide + 1] + 1 : Math.max(length[at + wide], length[at + 1]);
    }
  }
  return joined(walk(left, right, length, wide));
}

function* walk(left, right, length, wide) {
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) yield ["same", left[i++], j++];
    else if (j >= right.length || (i < left.length && length[(i + 1) * wide + j] >= length[i * wide + j + 1])) yield ["went", left[i++]];
    else yield ["came", right[j++]];
  }
}

// Neighbours of a kind become one. What stayed between two changes without a letter goes with them: words read better whole
function joined(steps) {
  const made = [["same", ""]];
  let [went, came] = ["", ""];
  const flush = () => {
    if (went) made.push(["went", went]);
    if (came) made.push(["came", came]);
    [went, came] = ["", ""];
  };
  const all = [...steps];
  for (const [at, [kind, text]] of all.entries()) {
    if (kind === "went") went += text;
    else if (kind === "came") came += text;
    else if ((went || came) && !/[\p{L}\p{N}]/u.test(text) && changes(all, at)) [went, came] = [went + text, came + text];
    else {
      flush();
      if (made.at(-1)[0] === "same") made.at(-1)[1] += text;
      else made.push(["same", text]);
    }
  }
  flush();
  return made.filter(([, text]) => text);
}

// whether the next word after here is another one
function changes(all, at) {
  const next = all.slice(at + 1).find(([kind, text]) => kind !== "same" || /[\p{L}\p{N}]/u.test(text));
  return next !== undefined && next[0] !== "same";
}
