// Sets the chosen theme before anything is painted; a classic script, because modules run later.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("gatewheel.theme");
  } catch {
    // storage may be forbidden: then the system decides
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
