// Connects the parts: the stream receives events, the store holds data, the views show it, the outbox sends.
import { ListView } from "./list-view.js";
import { Outbox } from "./outbox.js";
import { RecipientsDialog } from "./recipients-dialog.js";
import { DELETED, EVERYONE, Store } from "./store.js";
import { announce, ThreadView } from "./thread-view.js";
import { api } from "../atrium/api.js";
import { $, h } from "../atrium/dom.js";
import { live as stream } from "../atrium/live.js";
import { toast } from "../atrium/toast.js";

const root = $("main");
const me = { usercode: root.dataset.usercode, username: root.dataset.username, image: root.dataset.image || null };
const store = new Store(me);
const outbox = new Outbox(me.usercode);
const thread = new ThreadView(store, outbox, { edit: startEditing });
const list = new ListView(store, { open, outbox });
new RecipientsDialog(store, { send: (body, codes) => outbox.add(body, codes) });
const bodyLength = $("body").maxLength;
const drafts = new Map();
let loaded = false;
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

// --- Opening a conversation. Its usercode is in the address, so the browser's Back button works ------------------------

function open(code) {
  if (location.hash.slice(1) === code) show();
  else location.hash = code;
}

async function show() {
  const code = decodeURIComponent(location.hash.slice(1));
  stopEditing();
  if (thread.code) drafts.set(thread.code, $("body").value);
  $("panes").classList.toggle("reading", Boolean(code));
  if (!code) {
    thread.close();
    list.focus();
  } else {
    try {
      if (![EVERYONE, DELETED].includes(code) && !store.people.has(code)) await store.fetchPerson(code);
    } catch (error) {
      $("panes").classList.remove("reading");
      if (error.offline) return; // the next connection tries again
      toast(error.status === 404 ? `No user has the code ${code}.` : error.message, "warn");
      return history.replaceState(null, "", location.pathname);
    }
    thread.open(code);
    $("body").value = drafts.get(code) ?? "";
    drawComposer();
    if (code !== DELETED && matchMedia("(pointer: fine)").matches) $("body").focus();
    else $("thread-title").focus();
  }
  list.current = code || null;
  redraw("conversations");
}

addEventListener("hashchange", show);
$("back").addEventListener("click", () => (location.hash = ""));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && thread.code && !event.defaultPrevented && !document.querySelector("dialog[open]")) location.hash = "";
});

$("find").addEventListener("submit", async (event) => {
  event.preventDefault();
  const code = $("code").value.trim().toUpperCase();
  $("find-error").textContent = "";
  $("code").removeAttribute("aria-invalid");
  if (!code) return;
  try {
    await store.fetchPerson(code);
    $("code").value = "";
    open(code);
  } catch (error) {
    $("code").setAttribute("aria-invalid", "true");
    $("find-error").textContent = error.status === 404 ? `No user has the code ${code}.` : error.message;
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

// Replace the draft with the text of a message; afterwards the draft comes back.
function startEditing(message) {
  if (!editing) drafts.set(thread.code, $("body").value);
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
  $("body").value = drafts.get(thread.code) ?? "";
  drawComposer();
}

async function saveEdit(body) {
  const message = editing;
  try {
    if (body !== message.body) await store.edit(message.id, body);
    if (editing === message) stopEditing();
  } catch (error) {
    toast(`Not saved: ${error.message}`, "warn"); // the text stays in the field
  }
  $("body").focus();
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
$("body").addEventListener("input", drawComposer);
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
  drafts.delete(thread.code);
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

// --- Undo -----------------------------------------------------------------------------------------------------------

store.actions.addEventListener("failed", ({ detail: { action, error } }) => {
  const person = store.people.get(action.target)?.username ?? "This person";
  toast(action.kind === "delete" ? `Not deleted: ${error.message}` : `${person} is not blocked: ${error.message}`, "warn");
});
// Signing out ends the session before the page is left.
document.addEventListener("submit", ({ target }) => target.action.endsWith("/logout/") && store.actions.sendAll({ keepalive: true }), { capture: true });

// --- Events ---------------------------------------------------------------------------------------------------------

stream.addEventListener("message", ({ detail }) => {
  const mine = detail.sender?.usercode === me.usercode;
  if (mine) outbox.arrived(detail);
  store.receive(detail);
  const here = thread.code === EVERYONE ? detail.broadcast : detail.sender?.usercode === thread.code;
  if (here && !mine) thread.arrived(detail);
});
stream.addEventListener("edited", ({ detail }) => store.markEdited(detail));
stream.addEventListener("deleted", ({ detail }) => store.markDeleted(detail));
stream.addEventListener("read", ({ detail }) => store.applyRead(detail));
stream.addEventListener("presence", ({ detail }) => store.applyPresence(detail));

stream.addEventListener("open", async () => {
  banner();
  const isFirst = !loaded;
  await untilDone(async () => {
    // Another user may have signed in in another window. They must not see or send what is on this page.
    if (!isFirst && (await api("/api/v1/auth/profile/")).data.usercode !== me.usercode) {
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
  store.actions.resume();
  if (location.hash) show();
}

// Load what could not be loaded without a connection.
function reopen() {
  if (location.hash && !thread.code) show();
  else thread.reload();
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
stream.start();
