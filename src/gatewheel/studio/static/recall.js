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
