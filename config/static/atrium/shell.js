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
  finishActions();
}

// Deletions and blocks of the chat page that were not sent before the browser was closed.
async function finishActions() {
  try {
    if (!localStorage.getItem(`atrium.actions.${root.dataset.user}`)) return;
  } catch {
    return; // without localStorage there are none
  }
  const { actions } = await import("../messaging/undo.js");
  actions.resume();
}

function leave() {
  if (!navigator.onLine) return;
  dispatchEvent(new Event("userchange")); // what waits in the page belongs to the user who was signed in before
  location.reload();
}
