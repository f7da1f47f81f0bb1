// Brings the parts together: the stream tells, the store keeps, the views draw, the outbox sends.
import { $, h } from "./dom.js";
import { ListView } from "./list-view.js";
import { Outbox } from "./outbox.js";
import { SeveralView } from "./several-view.js";
import { DELETED, EVERYONE, Store } from "./store.js";
import { Stream } from "./stream.js";
import { ThreadView } from "./thread-view.js";
import { api } from "../atrium/api.js";
import { toast } from "../atrium/toast.js";

const root = $("main");
const me = { usercode: root.dataset.usercode, username: root.dataset.username, image: root.dataset.image || null };
const store = new Store(me);
const outbox = new Outbox(me.usercode);
const stream = new Stream(["message", "deleted", "read", "presence"]);
const thread = new ThreadView(store, outbox);
const list = new ListView(store, { open, outbox });
new SeveralView(store, { send: (body, codes) => outbox.add(body, codes) });
const bodyLength = $("body").maxLength;
const drafts = new Map();
let begun = false;

// --- Drawing, once a frame however much has changed ------------------------------------------------------------------

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
  stale.clear();
}

store.addEventListener("changed", ({ detail }) => {
  if (detail.part !== "thread") return redraw(detail.part);
  if (detail.code !== thread.code) return;
  if (detail.gone) return void thread.open(thread.code);
  if (detail.older) thread.keepPlace = true;
  redraw("thread");
  redraw("head");
});

// --- Opening a conversation; its address is the page's, so that "back" leads back ------------------------------------

function open(code) {
  if (location.hash.slice(1) === code) show();
  else location.hash = code;
}

async function show() {
  const code = decodeURIComponent(location.hash.slice(1));
  if (thread.code) drafts.set(thread.code, $("body").value);
  $("panes").classList.toggle("reading", Boolean(code));
  if (!code) {
    thread.close();
  } else {
    try {
      if (![EVERYONE, DELETED].includes(code) && !store.people.has(code)) await store.find(code);
    } catch (error) {
      toast(error.status === 404 ? `Nobody has the code ${code}.` : error.message, "warn");
      $("panes").classList.remove("reading");
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
    await store.find(code);
    $("code").value = "";
    open(code);
  } catch (error) {
    $("code").setAttribute("aria-invalid", "true");
    $("find-error").textContent = error.status === 404 ? `Nobody has the code ${code}.` : error.message;
  }
});

$("copy-code").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(me.usercode);
    toast("Your code is copied.", "ok");
  } catch {
    getSelection().selectAllChildren($("my-code")); // no clipboard here: one key press is left to do
  }
});

// --- Writing --------------------------------------------------------------------------------------------------------

function drawComposer() {
  const box = $("body");
  const { following } = thread;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`; // up to what the style sheet allows
  if (following && thread.code) thread.toEnd();
  const left = bodyLength - box.value.length;
  $("left").textContent = left <= 200 ? `${left} characters left. ` : "";
}

$("body").addEventListener("input", drawComposer);
addEventListener("resize", drawComposer);
$("body").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !matchMedia("(pointer: fine)").matches) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = $("body").value.trim();
  if (!body || !thread.code) return;
  $("body").value = "";
  drafts.delete(thread.code);
  drawComposer();
  thread.arrived(true);
  outbox.add(body, thread.code === EVERYONE ? [] : [thread.code]);
  $("body").focus();
});

outbox.addEventListener("changed", () => redraw("thread"));
outbox.addEventListener("sent", ({ detail: { entry, message } }) => {
  store.receive(message);
  redraw("thread");
  if (entry.to.length > 1) toast(`Sent to ${message.recipients.map((each) => each.username).join(", ")}.`, "ok");
});
outbox.addEventListener("refused", ({ detail: { entry, error } }) => {
  if (!entry.to.includes(thread.code) && entry.to.length) toast(`Not sent: ${error.message}`, "warn");
});
outbox.addEventListener("delayed", ({ detail }) => banner(detail));
outbox.addEventListener("signed-out", () => banner({ status: 401 }));

// --- What happens elsewhere -----------------------------------------------------------------------------------------

stream.addEventListener("message", ({ detail }) => {
  const mine = detail.sender?.usercode === me.usercode;
  if (mine) outbox.arrived(detail);
  store.receive(detail);
  const here = thread.code === EVERYONE ? detail.broadcast : detail.sender?.usercode === thread.code;
  if (here && !mine) {
    thread.arrived(false);
    requestAnimationFrame(() => thread.see());
  }
});
stream.addEventListener("deleted", ({ detail }) => store.deleted(detail));
stream.addEventListener("read", ({ detail }) => store.wasRead(detail));
stream.addEventListener("presence", ({ detail }) => store.presence(detail));

stream.addEventListener("open", async () => {
  banner();
  await steadily(async () => {
    // Somebody else may have signed in meanwhile, in another window: nothing of this page is theirs to send or to see.
    if (begun && (await api("/api/v1/auth/profile/")).data.usercode !== me.usercode) return location.reload();
    outbox.flush();
    await store.beat();
    if (begun) return;
    await store.begin();
    begun = true;
    if (location.hash) show();
  });
});
stream.addEventListener("resync", () => begun && steadily(() => store.catchUp()));
stream.addEventListener("waiting", () => {
  // Without a stream the page still shows what it can, as soon as it can.
  if (!begun) steadily(async () => (await store.begin(), (begun = true), location.hash && show()));
  setTimeout(() => stream.open || sayWhy(), 1500);
});

// A line that is closed does not say why; the answer to a heartbeat does.
async function sayWhy() {
  const trouble = await store.beat().then(() => ({ status: 0 }), (error) => error);
  if (!stream.open) banner(trouble);
}

// While the stream is closed a heartbeat keeps one online, and shows who else is.
setInterval(() => stream.open || store.beat().catch(() => {}), 30000);
for (const kind of ["focus", "visibilitychange"]) addEventListener(kind, () => thread.see());
document.addEventListener("visibilitychange", () => thread.see());

async function steadily(work) {
  try {
    await work();
  } catch (error) {
    banner(error);
    setTimeout(() => steadily(work), 5000);
  }
}

// --- The banner: what is wrong, for as long as it is -----------------------------------------------------------------

function banner(trouble) {
  const box = $("banner");
  if (!trouble) {
    box.hidden = true;
    return;
  }
  const signedOut = trouble.status === 401 || trouble.status === 403;
  const words = signedOut
    ? "You are signed out. What you wrote is kept here and sent when you are signed in again. "
    : trouble.status === 429
      ? "You write faster than the server takes it. The rest is sent in a moment."
      : "No connection. What you write is kept here and sent when it is back.";
  if (box.firstChild?.textContent !== words) {
    box.replaceChildren(words, ...(signedOut ? [h("a", { href: "/login/?next=/messager/" }, "Sign in")] : []));
  }
  box.hidden = false;
}

list.drawOnline();
list.draw();
stream.retry();
