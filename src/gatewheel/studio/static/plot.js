// A plot that the service drew, as nodes: elements with attributes and texts. Nothing of it is parsed or run.

import { svg } from "./dom.js";

const TAGS = new Set(["svg", "g", "title", "desc", "text", "line", "path", "circle", "rect"]);

export function plot(node) {
  if (typeof node === "string") return node;
  if (!TAGS.has(node.tag)) throw new Error(`a plot has no ${node.tag}`);
  return svg(node.tag, node.attributes, ...node.children.map(plot));
}
