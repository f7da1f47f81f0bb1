// What every page of a signed-in user has: live events, and the number of unread messages.
import { isSigningOut } from "./leaving.js";
import { live } from "./live.js";
import { atrium } from "./site.js";
import { toast } from "./toast.js";
import { watchUnread } from "./unread.js";

const { user } = document.documentElement.dataset;

let opened = false;
live.addEventListener("open", async () => {
  // Another user may have signed in in another window. They must not see what is on this page.
  if (opened && (await whoIsSignedIn()) !== user) return leave();
  opened = true;
});
// The session may have ended, also before the stream was opened for the first time.
live.addEventListener("retrying", () => live.isAvailable && setTimeout(whoIsSignedIn, 1000));
atrium.onSessionChange((session) => session || signedOut());
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

async function whoIsSignedIn() {
  try {
    return (await atrium.get("/auth/profile/", { maxRetries: 0 })).usercode;
  } catch {
    return undefined; // unknown: offline, or signed out, which onSessionChange reports
  }
}

// The page stays: it may contain text that is not saved. The chat has a notice of its own.
let isSignedOut = false;
function signedOut() {
  if (isSignedOut || isSigningOut || document.body.classList.contains("app")) return;
  isSignedOut = true;
  const next = encodeURIComponent(location.pathname + location.search);
  toast("You are signed out.", "warn", 0, { label: "Sign in", run: () => location.assign(`/login/?next=${next}`) });
}

function leave() {
  if (!navigator.onLine) return;
  dispatchEvent(new Event("userchange")); // what waits in the page belongs to the user who was signed in before
  location.reload();
}
