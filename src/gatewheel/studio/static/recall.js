// Keeps the answers of this tab, so that a reload shows them again instead of asking anew.

const STORED = "gatewheel.answers";
const MOST = 40;

export function recall(app, questions) {
  return all().find(([key]) => key === name(app, questions))?.[1] ?? null;
}

export function remember(app, questions, answer) {
  const kept = all().filter(([key]) => key !== name(app, questions));
  kept.push([name(app, questions), answer]);
  try {
    sessionStorage.setItem(STORED, JSON.stringify(kept.slice(-MOST)));
  } catch {
    // full or forbidden: then a reload asks again
  }
}

// the thumb that this tab gave to a trace; only operators may read feedback back
export function thumbOf(trace) {
  try {
    return sessionStorage.getItem(`gatewheel.thumb.${trace}`);
  } catch {
    return null;
  }
}

export function rememberThumb(trace, thumb) {
  try {
    sessionStorage.setItem(`gatewheel.thumb.${trace}`, thumb);
  } catch {
    // full or forbidden: then a reload shows no thumb
  }
}

function name(app, questions) {
  return JSON.stringify([app, ...questions]);
}

function all() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED)) ?? [];
  } catch {
    return [];
  }
}
