// Apply the theme that was chosen in this browser. A classic script in <head>, so that it runs before the first paint.
(() => {
  const root = document.documentElement;
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme; // follow the system
  };
  try {
    apply(localStorage.getItem("atrium.theme"));
  } catch {
    // Without localStorage the page follows the system.
  }
  addEventListener("storage", ({ key, newValue }) => {
    if (key !== "atrium.theme") return;
    apply(newValue);
    document.dispatchEvent(new Event("atrium:theme"));
  });
})();
