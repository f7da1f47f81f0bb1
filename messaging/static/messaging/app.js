// Connects the parts: the stream receives events, the store holds data, the views show it, the outbox sends.
import { Drafts } from "./drafts.js";
import { ListView } from "./list-view.js";
import { Notifications } from "./notifications.js";
import { Outbox } from "./outbox.js";
import { RecipientsDialog } from "./recipients-dialog.js";
import { currentRoute, setRoute } from "./route.js";
import { SearchView } from "./search-view.js";
import { DELETED, EVERYONE, Store } from "./store.js";
import { announce, ThreadView } from "./thread-view.js";
import { $, focusLater, h } from "../atrium/dom.js";
import { isSigningOut } from "../atrium/leaving.js";
import { live as stream } from "../atrium/live.js";
import { NetworkError, atrium } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";

const root = $("main");
const me = { usercode: root.dataset.usercode, username: root.dataset.username, image: root.dataset.image || null };
const store = new Store(me);
const outbox = new Outbox(me.usercode);
const thread = new ThreadView(store, outbox, { edit: startEditing });
const list = new ListView(store, { open });
const search = new SearchView(store, { open: openFound, find, searched });
const notifications = new Notifications(me.usercode, { open });
new RecipientsDialog(store, { send: (body, codes) => outbox.add(body, codes) });
const bodyLength = $("body").maxLength;
const drafts = new Drafts(me.usercode);
let loaded = false;
let shown = {}; // the part of the address that is shown
let editing = null; // the message whose new text is in the text field

// --- Drawing, at most once for each frame -----------------------------------------------------------------------------

const stale = new Set();
function redraw(part) {
  if (!stale.size) requestAnimationFrame(drawStale);
  stale.add(part);
}
function drawStale() {
  if (stale.has("presence")) list.drawOnline();
  if (stale.has("presence") || stale.has("head")) thread.drawHead();
  if (stale.has("presence") || stale.has("conversations")) list.draw();
  if (stale.has("thread")) thread.draw();
  else if (stale.has("conversations")) thread.drawJumps();
  stale.clear();
}

store.addEventListener("changed", ({ detail }) => {
  if (detail.part !== "thread") return redraw(detail.part);
  if (detail.code !== thread.code) return;
  if (detail.reset) return thread.open(thread.code);
  redraw("thread");
  redraw("head");
});

// --- The address: conversations and searches are entries of the browser's history ----------------------------------------

function open(code, message = null) {
  setRoute({ code, message });
  show();
}

// Leave the conversation.
function close() {
  if (currentRoute().code) open("");
}

// A person was chosen among the results: the search has served its purpose. Messages are opened one after the other.
function openFound(code, message = null) {
  clearTimeout(addressTimer);
  if (!message) search.show("");
  setRoute({ code, message, search: search.query });
  show();
}

// Open the conversation with somebody who is known by their code only.
async function find(code) {
  search.showError("");
  const { query } = search;
  try {
    await store.fetchPerson(code);
    if (search.query === query) openFound(code); // otherwise the person goes on searching
  } catch (error) {
    search.showError(error.status === 404 ? `No user has the code ${code}.` : error.message);
  }
}

// The first change of an empty field is an entry of the history. The next ones change that entry, and not at each key:
// Safari allows 100 changes in 30 seconds.
let addressTimer = 0;
function searched(text) {
  clearTimeout(addressTimer);
  if (!text || !search.isOpen) setRoute({ search: text });
  else addressTimer = setTimeout(() => setRoute({ search: text }, { replace: true }), 300);
  search.show(text);
}

async function show(focus = focusLater()) {
  const { code, message } = (shown = currentRoute());
  if (thread.code !== code) {
    stopEditing();
    storeDraft();
  }
  $("panes").classList.toggle("reading", Boolean(code));
  if (!code) {
    const wasOpen = Boolean(thread.code);
    thread.close();
    if (wasOpen) (search.isOpen ? search : list).focus();
  } else {
    try {
      if (![EVERYONE, DELETED].includes(code) && !store.people.has(code)) await store.fetchPerson(code);
    } catch (error) {
      $("panes").classList.remove("reading");
      if (error instanceof NetworkError) return; // the next connection tries again
      toast(error.status === 404 ? `No user has the code ${code}.` : error.message, "warn");
      setRoute({ code: "" }, { replace: true });
      return show();
    }
    if (shown.code !== code || shown.message !== message) return; // another one was opened in the meantime
    const isNew = thread.code !== code;
    thread.open(code, message);
    if (isNew) {
      $("body").value = drafts.get(code);
      drawComposer();
    }
    if (!message && code !== DELETED && matchMedia("(pointer: fine)").matches) focus($("body"));
    else focus($("thread-title"));
  }
  list.current = code || null;
  search.current = message ? `${code}/${message}` : null;
  if (search.isOpen) search.draw();
  redraw("conversations");
}

function followAddress() {
  clearTimeout(addressTimer);
  const { code, message, search: query } = currentRoute();
  if (!code && location.hash) {
    return setRoute({ code: shown.code, message: shown.message }, { replace: true }); // the link that skips the navigation
  }
  if (!loaded) return;
  search.show(query);
  if (code !== shown.code || message !== shown.message) show();
}

for (const kind of ["popstate", "hashchange"]) addEventListener(kind, followAddress);
$("back").addEventListener("click", close);
addEventListener("keydown", (event) => {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && thread.code) close();
  if (event.key === "/" && !event.target.closest("input, textarea")) {
    event.preventDefault();
    $("search").focus();
  }
});

$("copy-code").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(me.usercode);
    toast("Code copied.", "ok");
  } catch {
    getSelection().selectAllChildren($("my-code")); // no access to the clipboard: select it, so that the user can copy it
  }
});

// --- Writing --------------------------------------------------------------------------------------------------------

const growsByItself = CSS.supports("field-sizing", "content");

function drawComposer() {
  const box = $("body");
  if (!growsByItself) {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`; // max-height in the style sheet limits it
  }
  const left = bodyLength - box.value.length;
  const hint = left <= 200 ? `${left} characters left. ` : "";
  if ($("left").textContent !== hint) $("left").textContent = hint;
}

function storeDraft() {
  if (thread.code && !editing) drafts.set(thread.code, $("body").value);
}

// Replace the draft with the text of a message; afterwards the draft comes back.
function startEditing(message) {
  editing = message;
  $("edit-notice").hidden = false;
  $("body").value = message.body;
  drawComposer();
  $("body").focus();
  announce("You are editing your message.");
}

function stopEditing() {
  if (!editing) return;
  editing = null;
  $("edit-notice").hidden = true;
  $("body").value = drafts.get(thread.code);
  drawComposer();
}

async function saveEdit(body) {
  const message = editing;
  const focus = focusLater();
  try {
    if (body !== message.body) await store.edit(message.id, body);
    if (editing === message && $("body").value.trim() === body) stopEditing(); // what was typed since stays
  } catch (error) {
    toast(`Not saved: ${error.message}`, "warn"); // the text stays in the field
  }
  focus($("body"));
}

$("edit-cancel").addEventListener("click", () => {
  stopEditing();
  $("body").focus();
});
$("body").addEventListener("keydown", (event) => {
  if (event.key === "Escape" && editing) {
    event.preventDefault(); // stay in the conversation
    stopEditing();
  } else if (event.key === "ArrowUp" && !event.target.value && !editing && thread.lastEditable) {
    event.preventDefault();
    startEditing(thread.lastEditable);
  }
});
$("body").addEventListener("input", () => {
  drawComposer();
  storeDraft();
});
if (!growsByItself) addEventListener("resize", drawComposer);
$("body").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !matchMedia("(pointer: fine)").matches) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = $("body").value.trim();
  if (!body || !thread.code) return;
  if (editing) return saveEdit(body);
  $("body").value = "";
  storeDraft();
  drawComposer();
  thread.jumpToEnd();
  outbox.add(body, thread.code === EVERYONE ? [] : [thread.code]);
  $("body").focus();
});

outbox.addEventListener("changed", () => redraw("thread"));
outbox.addEventListener("sent", ({ detail: { entry, message } }) => {
  store.receive(message);
  redraw("thread");
  if (entry.to.length > 1) toast(`Sent to ${message.recipients.map((each) => each.username).join(", ")}.`, "ok");
});
outbox.addEventListener("rejected", ({ detail: { entry, error } }) => {
  if (!entry.to.includes(thread.code) && entry.to.length) toast(`Not sent: ${error.message}`, "warn");
});
outbox.addEventListener("delayed", ({ detail }) => banner(detail));
outbox.addEventListener("signed-out", () => banner({ status: 401 }));

// Browsers that do not resize the page for the on-screen keyboard (Safari) would leave the text field behind it.
visualViewport?.addEventListener("resize", () => {
  const covered = innerHeight - visualViewport.height * visualViewport.scale > 1;
  document.body.style.height = covered ? `${visualViewport.height}px` : "";
});

// --- Events ---------------------------------------------------------------------------------------------------------

stream.addEventListener("message", ({ detail }) => {
  const mine = detail.sender?.usercode === me.usercode;
  if (mine) outbox.arrived(detail);
  store.receive(detail);
  const here = thread.code === EVERYONE ? detail.broadcast : detail.sender?.usercode === thread.code;
  if (here && !mine) thread.arrived(detail);
  if (!mine) notifications.arrived(detail, detail.broadcast ? EVERYONE : detail.sender.usercode);
});
stream.addEventListener("edited", ({ detail }) => {
  store.markEdited(detail);
  search.update(detail);
});
stream.addEventListener("deleted", ({ detail }) => {
  store.markDeleted(detail);
  search.update(detail);
  notifications.remove(detail);
});
stream.addEventListener("read", ({ detail }) => {
  store.applyRead(detail);
  if (detail.reader.usercode === me.usercode) notifications.read(detail);
});
stream.addEventListener("blocks", () => store.refreshBlocks().catch(() => {})); // changed in another tab
stream.addEventListener("presence", ({ detail }) => store.applyPresence(detail));

stream.addEventListener("open", async () => {
  banner();
  const isFirst = !loaded;
  await untilDone(async () => {
    // Another user may have signed in in another window. They must not see or send what is on this page.
    if (!isFirst && (await atrium.get("/auth/profile/")).usercode !== me.usercode) {
      store.actions.discard();
      return location.reload();
    }
    outbox.flush();
    await store.heartbeat();
    if (!isFirst) return reopen();
    await start();
  });
});

async function start() {
  await store.load();
  loaded = true;
  if (!search.isOpen) search.show(currentRoute().search); // what was typed meanwhile stays
  show(focusLater(document.body));
}

// Load what could not be loaded without a connection.
function reopen() {
  if (currentRoute().code && !thread.code) show(focusLater(document.body));
  else thread.reload();
  search.retry();
}

stream.addEventListener("resync", () => loaded && untilDone(() => store.catchUp()));
stream.addEventListener("retrying", () => {
  // Without a stream the page still loads its data.
  if (!loaded) untilDone(start);
  setTimeout(() => stream.open || explain(), 1500);
});

// EventSource does not report why it was closed; the response to a heartbeat does.
async function explain() {
  const problem = await store.heartbeat().then(() => ({ status: 0 }), (error) => error);
  if (!stream.open) banner(problem);
}

// While the stream is closed, heartbeats keep the user online and update who else is.
setInterval(() => stream.open || store.heartbeat().catch(() => {}), 30000);
for (const kind of ["focus", "visibilitychange"]) addEventListener(kind, () => thread.markRead());
document.addEventListener("visibilitychange", () => thread.markRead());

async function untilDone(work) {
  try {
    await work();
  } catch (error) {
    banner(error);
    setTimeout(() => untilDone(work), 5000);
  }
}

// --- The banner -----------------------------------------------------------------------------------------------------

function banner(problem) {
  const box = $("banner");
  if (!problem) {
    box.hidden = true;
    return;
  }
  const signedOut = problem.status === 401 || problem.status === 403;
  if (signedOut && isSigningOut) return;
  const text = signedOut
    ? "You are signed out. Your unsent messages are saved and will be sent after you sign in. "
    : problem.status === 429
      ? "You are sending too fast. Your messages will be sent shortly."
      : "No connection. Your messages are saved and will be sent when you are online again.";
  if (box.firstChild?.textContent !== text) {
    box.replaceChildren(text, ...(signedOut ? [h("a", { href: "/login/?next=/messager/" }, "Sign in")] : []));
  }
  box.hidden = false;
}

list.drawOnline();
list.draw();
if ($("search").value.trim()) searched($("search").value.trim()); // typed before this script was loaded
stream.start();
