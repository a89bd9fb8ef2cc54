// Trades an API key for a session cookie and goes back to where one came from.

import { post } from "./api.js";
import { $ } from "./dom.js";

function target() {
  const next = new URL(new URLSearchParams(location.search).get("next") || "/", location.origin);
  return next.origin === location.origin ? next.pathname + next.search : "/"; // never to another site
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("problem").textContent = "";
  try {
    await post("/api/session", { key: $("key").value.trim() });
    sessionStorage.clear(); // answers that another key was given in this tab
    location.replace(target());
  } catch (error) {
    $("problem").textContent = error.message;
    $("key").select();
  }
});
