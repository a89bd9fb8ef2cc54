// Makes elements. Text always becomes a text node: nothing here or in any other file of the studio parses markup.

const SVG = "http://www.w3.org/2000/svg";

// h("a.row-link", {href, onclick, data: {…}}, "text", child, [children], null)
export function h(what, props = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  return fill(document.createElement(tag || "div"), classes, props, children);
}

export function svg(what, props = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  return fill(document.createElementNS(SVG, tag), classes, props, children);
}

export function $(id) {
  return document.getElementById(id);
}

export function show(element, ...children) {
  element.replaceChildren(...flat(children));
  element.hidden = false;
  element.removeAttribute("aria-busy");
  return element;
}

// Tells a screen reader; nothing is seen.
export function say(text) {
  $("said").textContent = text;
}

// A fault across the page's top, with what can be done about it.
export function complain(error) {
  const wrong = error.status === 403 ? "This key may not do that" : error.status === 429 ? "Too much at once" : "";
  const again = h("a", { href: `/login?next=${encodeURIComponent(location.pathname + location.search)}` }, "Use another key");
  show($("notice"), h("p.notice", {}, h("span", {}, wrong && h("strong", {}, `${wrong}. `), error.message), error.status === 403 && again));
  document.querySelectorAll("[aria-busy]").forEach((element) => element.removeAttribute("aria-busy"));
}

export function forgive() {
  $("notice").replaceChildren();
}

// Runs an asynchronous action; whatever it throws is shown, not lost.
export function attempt(action) {
  return async (...args) => {
    try {
      return await action(...args);
    } catch (error) {
      if (error.name !== "AbortError") complain(error);
      return undefined;
    }
  };
}

function fill(element, classes, props, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(3).filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}
