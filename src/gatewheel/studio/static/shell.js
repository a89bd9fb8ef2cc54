// What every page has: the theme, the keyboard and who is logged in.

import { get, remove } from "./api.js";
import { $, attempt, h, say, show } from "./dom.js";
import { areOn, bind, listen, turn, walk } from "./keys.js";

const root = document.documentElement;

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function nameTheme() {
  $("theme-name").textContent = isDark() ? "Light theme" : "Dark theme";
}

function toggleTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("gatewheel.theme", root.dataset.theme);
  } catch {
    // chosen for this page only
  }
  nameTheme();
  say(isDark() ? "Dark theme" : "Light theme");
}

function help() {
  $("keys-on").checked = areOn();
  $("keys-dialog").showModal();
}

function toField() {
  const field = document.querySelector("#question, [data-search]");
  if (field) field.focus();
  else location.assign("/ask");
}

const logOut = attempt(async () => {
  await remove("/api/session");
  try {
    sessionStorage.clear(); // answers that this key was given
  } catch {
    // nothing was kept
  }
  location.assign("/login");
});

async function whoAmI() {
  if (document.body.dataset.page === "login") return;
  const session = await get("/api/session").catch(() => null);
  if (session?.key) {
    show($("who"), h("span.soft", {}, session.key.name), h("button.quiet", { type: "button", onclick: logOut }, "Log out"));
  }
}

$("theme").addEventListener("click", toggleTheme);
$("keys").addEventListener("click", help);
$("keys-on").addEventListener("change", (event) => turn(event.target.checked));
for (const form of document.querySelectorAll("form[method=get]")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true; // keeps the URL short
  });
}
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[method=get] :disabled")) field.disabled = false;
});
bind("?", help);
bind("/", toField);
walk(".row-link");
listen();
nameTheme();
whoAmI();
