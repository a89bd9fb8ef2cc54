// Single keys: / to the field, j and k through a list, ? for help. They can be turned off (WCAG 2.1.4).

const STORED = "gatewheel.keys";
const bound = new Map();

export function bind(key, action) {
  bound.set(key, action);
}

export function areOn() {
  try {
    return localStorage.getItem(STORED) !== "off";
  } catch {
    return true;
  }
}

export function turn(on) {
  try {
    localStorage.setItem(STORED, on ? "on" : "off");
  } catch {
    // not kept, then
  }
}

// j and k move the focus among the links that match, wherever they are now
export function walk(selector) {
  const step = (by) => {
    const all = [...document.querySelectorAll(selector)];
    const at = all.findIndex((element) => element === document.activeElement || element.contains(document.activeElement));
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  bind("j", () => step(1));
  bind("k", () => step(-1));
}

export function listen() {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key !== "Escape" && !areOn()) return;
    const action = bound.get(event.key);
    if (action) {
      event.preventDefault();
      action(event);
    }
  });
}
