// What every page has: the unread badge, the theme, search by Ctrl-K. Signed-in pages also start the live events.
import { api } from "./api.js";
import { live } from "./live.js";
import "./theme-menu.js";
import { watchUnread } from "./unread.js";

const root = document.documentElement;

// --- Search everything ----------------------------------------------------------------------------------------------

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

// --- Live events ----------------------------------------------------------------------------------------------------

if (root.dataset.user) {
  let opened = false;
  live.addEventListener("open", async () => {
    // Another user may have signed in in another window. They must not see what is on this page.
    if (opened && (await api("/api/v1/auth/profile/").catch(() => null))?.data.usercode !== root.dataset.user) return leave();
    opened = true;
  });
  live.start();
  watchUnread();
}

function leave() {
  if (navigator.onLine) location.reload();
}
