// Connects the parts of the notes page: the address says what is shown, the store holds the notes, drafts save them.
import { $, focusLater, h, icon } from "../atrium/dom.js";
import { live } from "../atrium/live.js";
import { atrium } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";
import { Actions } from "./actions.js";
import { titleOf } from "./cards.js";
import { Composer } from "./composer.js";
import { Drafts } from "./drafts.js";
import { Editor } from "./editor.js";
import { asList, cards, early, on, selected, showCards } from "./first.js";
import { editLabels } from "./labels.js";
import { Search } from "./search.js";
import { Selection } from "./selection.js";
import { showKeys, watchKeys } from "./shortcuts.js";
import { Store } from "./store.js";
import { Takeout } from "./takeout.js";
import { TITLES, addressOf, isFiltered, sameList, viewFrom, withoutFilters } from "./view.js";

const store = new Store();
const drafts = new Drafts(document.documentElement.dataset.user);
const actions = new Actions(store, drafts);
const selection = new Selection(store, (name, notes, anchor) => actions.run(name, notes, anchor));
const editor = new Editor({ store, drafts, actions, closed });
const search = new Search(store, go);
const composer = new Composer({ drafts, store, labelId: () => Number(view.label) || null });
let view = viewFrom(new URL(location.href));

// --- The address ------------------------------------------------------------------------------------------------------

// Change what is shown, as a new entry of the browser's history.
function go(changes, { replace = false } = {}) {
  const next = { ...view, ...changes };
  const state = { opened: Boolean(next.open) && !view.open };
  history[replace ? "replaceState" : "pushState"](state, "", addressOf(next));
  apply(next);
}

function apply(next) {
  const isOtherList = !sameList(store.view, next);
  view = next;
  drawFrame();
  if (isOtherList) {
    selection.clear();
    if (store.view) scrollTo(0, 0);
    store.open(view);
  }
  showOpenNote();
}

async function showOpenNote() {
  const { open } = view;
  if (!open) return editor.close({ silently: true });
  let note = store.notes.get(open);
  try {
    note ??= await store.fetch(open);
  } catch (error) {
    return toast(error.message, "warn");
  }
  if (view.open !== open) return;
  if (note) return editor.open(note);
  toast("This note was deleted, or you lost access to it.", "warn");
  go({ open: null }, { replace: true });
}

// The dialog was closed by the user: the address is that of the list again.
function closed(id) {
  if (view.open !== id) return;
  if (history.state?.opened) history.back();
  else go({ open: null }, { replace: true });
  const focus = focusLater(document.body); // where the browser has not found the card, which may be a new element
  requestAnimationFrame(() => focus(cards.element(id)?.querySelector("a")));
}

addEventListener("popstate", () => apply(viewFrom(new URL(location.href))));
document.querySelector(".views").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go({ ...withoutFilters(view, "notes"), ...viewFrom(new URL(link.href)) });
});

// --- The list ---------------------------------------------------------------------------------------------------------

Object.assign(on, {
  open: (note) => go({ open: note.id }),
  select: (note, wanted, range) => selection.set(note.id, wanted, range),
  act: (name, note, button) => actions.run(name, [store.notes.get(note.id) ?? note], button),
  tick(note, index, checked) {
    const draft = drafts.of(store.notes.get(note.id) ?? note);
    draft.set({ items: draft.content.items.map((item, at) => (at === index ? { ...item, checked } : item)) }, { now: true });
  },
  near: () => store.view && store.more(),
});
Object.defineProperties(selected, { has: { value: (id) => selection.has(id) }, size: { get: () => selection.size } });

let frame = 0;
function redraw() {
  frame ||= requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  $("cards").classList.toggle("selecting", selection.size > 0);
  showCards(store.list, view.name === "notes");
  $("cards").toggleAttribute("aria-busy", !store.loaded && !store.error);
  $("loading").hidden = !(store.loaded && store.hasMore);
  $("empty-trash").disabled = !ownNotes().length;
  drawEmpty();
  drawBanner();
}

const EMPTY = {
  notes: ["note", "No notes yet. Take one above, or drop a Google Keep archive here."],
  reminders: ["bell", "Notes with a reminder appear here."],
  shared: ["users", "Notes that others share with you appear here."],
  archive: ["archive", "Archived notes appear here. They are still found by search."],
  trash: ["trash", "The trash is empty."],
};

function drawEmpty() {
  const isEmpty = store.loaded && !store.order.length && !store.hasMore;
  $("empty").hidden = !isEmpty && !store.error;
  if (store.error && !store.order.length) {
    $("empty").replaceChildren(icon("offline"), h("p", {}, store.error.message), h("button.button.secondary", { type: "button", onclick: () => store.open(view) }, "Try again"));
    return;
  }
  $("empty").hidden = !isEmpty;
  if (!isEmpty) return;
  const [symbol, text] = isFiltered(view) ? ["search", "No note matches."] : view.label ? ["label", "No note has this label."] : EMPTY[view.name];
  const clear = isFiltered(view) && h("button.button.secondary.small", { type: "button", onclick: () => go(withoutFilters(view, view.name)) }, "Clear search and filters");
  $("empty").replaceChildren(...[icon(symbol), h("p", {}, text), clear].filter(Boolean));
}

function drawBanner() {
  const unsaved = drafts.unsaved.filter((draft) => ["offline", "signed-out"].includes(draft.state));
  $("banner").hidden = !unsaved.length;
  if (!unsaved.length) return;
  const isSignedOut = unsaved.some((draft) => draft.state === "signed-out");
  const count = unsaved.length === 1 ? "One note is" : `${unsaved.length} notes are`;
  const text = `${isSignedOut ? "You are signed out." : "No connection."} ${count} kept in this browser and will be saved${isSignedOut ? " after you sign in" : ""}. `;
  if ($("banner").textContent.startsWith(text)) return;
  $("banner").replaceChildren(icon("offline"), h("div", {}, text, isSignedOut && h("a", { href: `/login/?next=${encodeURIComponent(location.pathname)}` }, "Sign in")));
}

// What is around the list: the current view, its title, search and filters.
function drawFrame() {
  const label = store.labels.find((each) => String(each.id) === view.label);
  const title = view.label ? (label?.name ?? "Label") : TITLES[view.name];
  document.title = `${title} · Atrium`;
  $("view-title").textContent = title;
  for (const link of document.querySelectorAll(".views a")) {
    const isCurrent = view.label ? link.dataset.label === view.label : link.dataset.view === view.name;
    if (isCurrent) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  $("composer").hidden = view.name !== "notes" || isFiltered(view);
  $("trash-note").hidden = view.name !== "trash";
  search.draw(view);
}

function drawLabels() {
  $("labels").replaceChildren(
    ...store.labels.map((label) =>
      h("li", {}, h("a", { href: `/notes/?label=${label.id}`, "data-label": String(label.id) }, icon("label"), h("span", {}, label.name), h("span.number", {}, String(label.note_count), h("span.visually-hidden", {}, ` note${label.note_count === 1 ? "" : "s"}`)))),
    ),
  );
  $("labels-title").hidden = !store.labels.length;
  drawFrame();
}

store.addEventListener("changed", ({ detail }) => (detail === "labels" ? drawLabels() : redraw()));
selection.addEventListener("changed", redraw);

function setLayout(list) {
  cards.asList = list;
  $("layout").setAttribute("aria-pressed", String(list));
  cards.relayout();
}

$("layout").addEventListener("click", () => {
  const list = !cards.asList;
  try {
    localStorage.setItem("atrium.notes.layout", list ? "list" : "grid");
  } catch {
    // The choice lasts until the page is left.
  }
  setLayout(list);
});
$("edit-labels").addEventListener("click", () => editLabels(store));
$("show-keys").addEventListener("click", showKeys);
const ownNotes = () => store.list.filter((note) => note.role === "owner");
$("empty-trash").addEventListener("click", () => actions.run("empty trash", ownNotes()));

// --- Saving -----------------------------------------------------------------------------------------------------------

// A card shows the text while it is being written.
function show(note) {
  const draft = drafts.find(note.id);
  store.put(draft?.isDirty ? { ...note, ...structuredClone(draft.content) } : note);
}

drafts.addEventListener("changed", ({ detail: { draft } }) => {
  const note = store.notes.get(draft.noteId);
  if (note) store.put({ ...note, ...structuredClone(draft.content) });
});
drafts.addEventListener("saved", ({ detail: { draft, note } }) => {
  show(note);
  store.share(note.id);
});
drafts.addEventListener("state", () => drawBanner());
composer.onclose = (draft) => {
  if (draft.noteId && store.notes.has(draft.noteId)) show(store.notes.get(draft.noteId));
  if (draft.labelIds.length) store.loadLabels().catch(() => {});
};
drafts.addEventListener("state", ({ detail: { draft } }) => {
  if (draft.state !== "conflict" || editor.id === draft.noteId) return;
  toast(`“${draft.content.title || "A note"}” was also changed by somebody else.`, "warn", 0, { label: "Compare", run: () => go({ open: draft.noteId }) });
});

// --- Changes by others and in other tabs --------------------------------------------------------------------------------

const ME = document.documentElement.dataset.user;
const TOGETHER = 200; // milliseconds: events that arrive together are handled together
const MANY = 8; // above this number of notes the list is loaded again
const arrived = new Map(); // id -> the last event about a note
const updates = new Map(); // id -> the promise of the last update
let arrivedTimer = 0;

// The server also reports the changes that were made on this page.
live.addEventListener("note", ({ detail }) => {
  if (["deleted", "revoked"].includes(detail.action)) return store.remove(detail.id);
  arrived.set(detail.id, detail.action === "shared" ? detail : { ...arrived.get(detail.id), ...detail });
  arrivedTimer ||= setTimeout(changedElsewhere, TOGETHER);
});

function changedElsewhere() {
  arrivedTimer = 0;
  const events = [...arrived.values()];
  arrived.clear();
  store.loadLabels().catch(() => {});
  if (events.length > MANY) return refresh();
  for (const event of events) {
    if (isInComposer(event)) continue;
    // One request for a note at a time: an earlier answer never replaces a later one.
    updates.set(event.id, Promise.resolve(updates.get(event.id)).then(() => update(event)).catch(() => {}));
  }
}

// A note that is being taken has no card yet; the answer to its creation may arrive after the event.
function isInComposer({ id, by, action }) {
  return composer.isOpen && by === ME && (composer.draft.noteId === id || (action === "created" && !composer.draft.noteId));
}

async function update({ id, action, by }) {
  const before = store.notes.get(id);
  const note = await atrium.get("/notes/{id}/", { path: { id } }).catch((error) => (error.status === 404 ? null : undefined));
  if (note === undefined) return;
  if (!note) return store.remove(id);
  if (store.notes.get(id) !== before && by === ME) return; // changed here meanwhile; the next event follows
  if (JSON.stringify(note) !== JSON.stringify(before)) show(note);
  drafts.find(id)?.update(note);
  const person = by && by !== ME && [note.owner, ...note.collaborators].find((each) => each.usercode === by);
  if (editor.id === id) editor.changedBy(person?.username);
  if (action === "shared") toast(`${note.owner.username} shared “${titleOf(note)}” with you.`, "info", 7, { label: "Open", run: () => go({ open: id }) });
}

async function refresh() {
  await store.refresh();
  for (const draft of drafts.unsaved) if (store.notes.has(draft.noteId)) show(store.notes.get(draft.noteId));
  const open = store.notes.get(editor.id);
  if (open) drafts.find(open.id)?.update(open);
  store.loadLabels().catch(() => {});
}
live.addEventListener("resync", refresh);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && !live.open && refresh());

// --- Keys ---------------------------------------------------------------------------------------------------------------

const focusedId = () => Number(document.activeElement?.closest(".note-card")?.dataset.id) || null;
function step(by) {
  const keys = cards.keys;
  const at = keys.indexOf(focusedId());
  const next = keys[at < 0 ? 0 : Math.max(0, Math.min(keys.length - 1, at + by))];
  if (next !== undefined) cards.reveal(next)?.querySelector("a")?.focus({ preventScroll: true });
}
// An action applies to the selected notes, or else to the one with the focus; the next note gets the focus.
function act(name) {
  const id = focusedId();
  const notes = selection.size ? selection.notes : id ? [store.notes.get(id)] : [];
  const keys = cards.keys;
  const next = keys[keys.indexOf(id) + 1] ?? keys[keys.indexOf(id) - 1];
  const focus = focusLater();
  actions.run(name, notes);
  if (id && name !== "pin" && next !== undefined) requestAnimationFrame(() => requestAnimationFrame(() => focus(cards.reveal(next)?.querySelector("a"))));
}
watchKeys({
  j: () => step(1),
  k: () => step(-1),
  x: () => focusedId() && selection.set(focusedId(), !selection.has(focusedId())),
  e: () => act(view.name === "archive" ? "unarchive" : "archive"),
  "#": () => act(view.name === "trash" ? "restore" : "trash"),
  p: () => act(store.notes.get(focusedId())?.pinned ? "unpin" : "pin"),
  n: () => compose({}),
  l: () => compose({ list: true }),
  "/": () => search.focus(),
  "?": showKeys,
  Escape: () => selection.clear(),
});

function compose(options) {
  if ($("composer").hidden) go({ ...withoutFilters(view, "notes"), open: null });
  scrollTo(0, 0);
  composer.open(options);
}

// --- Start --------------------------------------------------------------------------------------------------------------

const takeout = new Takeout({ imported: () => store.refresh().then(() => store.loadLabels()) });
const asked = new URLSearchParams(location.search);
history.replaceState(null, "", addressOf(view));
if (asked.get("new")) composer.open({ list: asked.get("new") === "list" });
if (asked.get("import")) takeout.show(Number(asked.get("import")));
if (asList()) setLayout(true);
apply(view);
for (const [name, args] of early.splice(0)) on[name](...args);
store.loadLabels().catch(() => {});
drafts.recover().then((found) => {
  const saved = found.filter((draft) => draft.state === "saved").length;
  if (saved) toast(saved === 1 ? "A note that was not saved is saved now." : `${saved} notes that were not saved are saved now.`, "ok");
});
