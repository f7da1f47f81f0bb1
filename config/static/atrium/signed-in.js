// What every page of a signed-in user has: live events, and the number of unread messages.
import { live } from "./live.js";
import { atrium } from "./site.js";
import { watchUnread } from "./unread.js";

const { user } = document.documentElement.dataset;

let opened = false;
live.addEventListener("open", async () => {
  // Another user may have signed in in another window. They must not see what is on this page.
  if (opened && (await atrium.get("/auth/profile/").catch(() => null))?.usercode !== user) return leave();
  opened = true;
});
live.start();
watchUnread();
finishActions();

// Deletions and blocks of the chat page that were not sent before the browser was closed.
async function finishActions() {
  try {
    if (!localStorage.getItem(`atrium.actions.${user}`)) return;
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
