// The number of unread messages in the navigation.
import { live } from "./live.js";
import { Loader, atrium } from "./site.js";

const POLL = 60000; // where the server has no event stream
const badge = document.getElementById("unread");
let asked = false;

const loader = new Loader(() => atrium.get("/messages/unread/"), ({ total }) => show(total));
const refresh = () => loader.run().catch(() => {}); // the next event tries again; pages show that the connection is lost

// Show the number that the chat of this tab has loaded.
export function showUnread(total) {
  loader.changed();
  show(total);
}

// Show the number here and in the other tabs.
function show(total) {
  draw(total);
  live.share("unread", { total });
}

function draw(total) {
  if (!badge) return;
  badge.hidden = !total;
  badge.firstChild.textContent = total > 99 ? "99+" : String(total);
}

// Several events arrive together; and one tab asks for all of them.
function refreshSoon() {
  if (asked || (live.open && !live.leads)) return;
  asked = true;
  setTimeout(() => {
    asked = false;
    refresh();
  }, 300);
}

export function watchUnread() {
  for (const kind of ["message", "read", "deleted", "resync"]) live.addEventListener(kind, refreshSoon);
  live.addEventListener("unread", ({ detail }) => {
    loader.changed();
    draw(detail.total);
  });
  if (!live.isAvailable) setInterval(() => document.visibilityState === "visible" && refresh(), POLL);
  refresh();
}
