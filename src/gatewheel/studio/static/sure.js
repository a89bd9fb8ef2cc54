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
  $("why").setAttribute("aria-invalid", "false");
  $("sure-form").onsubmit = async (event) => {
    event.preventDefault();
    const blank = required && !$("why").value.trim();
    $("why").setAttribute("aria-invalid", `${blank}`);
    $("sure-problem").textContent = blank ? "Say why, in words: the history keeps it." : "";
    if (blank) return $("why").focus();
    $("sure-yes").disabled = true;
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
