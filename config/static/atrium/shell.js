// What every page has: the theme and search by Ctrl-K, and for a signed-in user live events and the unread badge.
import "./theme-menu.js";

async function openPalette() {
  const { palette } = await import("./palette.js");
  palette.open();
}

document.getElementById("find-all")?.addEventListener("click", openPalette);
addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  openPalette();
});

if (document.documentElement.dataset.user) import("./signed-in.js");
