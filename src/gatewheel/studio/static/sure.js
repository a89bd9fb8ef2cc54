// Asks before something is done that others notice, and why. The dialog stands in the page's template.

import { $ } from "./dom.js";

// question: {title, text, yes, act(why), why: "" for no reason asked, required}
export function sure({ title, text, yes, act, why = "Why", required = false }) {
  const before = document.activeElement;
  $("sure-title").textContent = title;
  $("sure-text").textContent = text;
  $("sure-yes").textContent = yes;
  $("sure-problem").textContent = "";
  $("sure-why").hidden = !why;
  $("why").required = required;
  $("why").value = "";
  $("sure-form").onsubmit = async (event) => {
    event.preventDefault();
    $("sure-yes").disabled = true;
    $("sure-problem").textContent = "";
    try {
      await act($("why").value.trim());
      $("sure").close();
    } catch (error) {
      $("sure-problem").textContent = error.message;
    } finally {
      $("sure-yes").disabled = false;
    }
  };
  $("sure-no").onclick = () => $("sure").close();
  $("sure").onclose = () => (before.isConnected ? before : $("main")).focus();
  $("sure").showModal();
  if (!required) $("sure-no").focus(); // Enter alone changes nothing
}
