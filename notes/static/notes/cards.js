// A note as a card: its text, up to eight items that can be ticked, and actions on hover or focus.
import { avatar, h, icon } from "../atrium/dom.js";
import { isIndented, paint, reminderText, zone } from "./look.js";

const SHOWN = 8; // items
const LABELS = 3;
const TEXT = 600; // characters of the text
const LONG_PRESS = 500; // milliseconds

export const titleOf = (note) => note.title.trim() || note.body.trim().split("\n")[0].slice(0, 60) || note.items.find((item) => item.text.trim())?.text.trim() || "Untitled note";

// The text without the commonest marks of Markdown. The editor shows it as Markdown.
const plain = (text) =>
  text
    .replace(/!?\[([^\]\n]*)\]\([^)\s]*\)/g, "$1")
    .replace(/^#{1,6} +/gm, "")
    .replace(/(\*\*|__|~~)(?=\S)([^\n]*?\S)\1/g, "$2")
    .replace(/^( *)[-*+] +/gm, "$1• ");

// Open items come first.
export function shownItems(items) {
  const numbered = items.map((item, index) => ({ ...item, index }));
  return [...numbered.filter((item) => !item.checked), ...numbered.filter((item) => item.checked)].slice(0, SHOWN);
}

// A rough height in pixels, for cards that have not been shown yet.
export function estimate(note, width) {
  const letters = width / 7.2;
  const lines = (text) => text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / letters)), 0);
  const items = Math.min(note.items.length, SHOWN) + (note.items.length > SHOWN ? 1 : 0);
  return 58 + (note.title ? 24 * Math.min(2, lines(note.title)) : 0) + (note.body ? 22 * Math.min(10, lines(note.body.slice(0, TEXT))) : 0) + items * 27 + (hasChips(note) ? 36 : 0);
}

const hasChips = (note) => note.labels.length > 0 || note.remind_at || note.collaborators.length > 0;

// `on` has: open(note), tick(note, index, checked), act(name, note, button), select(note, wanted, range).
// `state` has: isSelected, isSelecting.
export function buildCard(note, on, state) {
  const name = titleOf(note);
  const link = h("a.stretch", { href: `/notes/${note.id}/`, "data-focus": "open", draggable: false }, note.title.trim() || h("span.visually-hidden", {}, name));
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.button) return;
    event.preventDefault();
    if (card.dataset.pressed) return delete card.dataset.pressed;
    if (state.isSelecting() || event.shiftKey) on.select(note, !card.classList.contains("selected"), event.shiftKey);
    else on.open(note);
  });
  const canEdit = note.role !== "viewer" && !note.trashed_at;
  const card = h(
    "article.note-card",
    { "aria-label": name, "data-id": note.id },
    h("h2", {}, link),
    note.body && h("p.text", {}, plain(note.body.slice(0, TEXT))),
    note.items.length > 0 && items(note, canEdit, on),
    hasChips(note) && chips(note),
    toolbar(note, name, on),
  );
  const select = button("check", state.isSelected ? "Deselect" : "Select", name, "select", () => on.select(note, !card.classList.contains("selected")));
  select.classList.add("select");
  select.setAttribute("aria-pressed", String(state.isSelected));
  card.prepend(select);
  card.classList.toggle("selected", state.isSelected);
  paint(card, note.color);
  longPress(card, () => on.select(note, true));
  return card;
}

function items(note, canEdit, on) {
  const shown = shownItems(note.items);
  const rows = shown.map(({ text, checked, index }) => {
    const box = h("input", { type: "checkbox", checked, disabled: !canEdit, "data-focus": `item ${index}` });
    box.addEventListener("change", () => on.tick(note, index, box.checked));
    return h(`li${checked ? ".checked" : ""}${isIndented(text) ? ".indented" : ""}`, {}, h("label", {}, box, h("span", {}, text.trim() || h("span.visually-hidden", {}, "empty item"))));
  });
  const more = note.items.length - shown.length;
  return h("ul.card-items", {}, ...rows, more > 0 && h("li.more.small", {}, `+ ${more} more`));
}

function chips(note) {
  const others = [note.owner, ...note.collaborators].filter((each) => each.usercode !== document.documentElement.dataset.user);
  const rest = note.labels.length - LABELS;
  return h(
    "div.chips",
    {},
    note.remind_at && h("span.tag", { title: `Reminder (${zone()})` }, icon("bell"), reminderText(note.remind_at)),
    ...note.labels.slice(0, LABELS).map((label) => h("span.tag", {}, label.name)),
    rest > 0 && h("span.tag", {}, `+${rest}`),
    others.length > 0 && h("span.faces", { title: `Shared with ${others.map((each) => each.username).join(", ")}` }, ...others.slice(0, 4).map((each) => avatar(each, "small")), h("span.visually-hidden", {}, `Shared with ${others.map((each) => each.username).join(", ")}`)),
  );
}

function button(symbol, label, name, focus, run) {
  return h("button.card-button", { type: "button", title: label, "aria-label": `${label}: ${name}`, "data-focus": focus, onclick: (event) => run(event.currentTarget) }, icon(symbol));
}

function toolbar(note, name, on) {
  const act = (symbol, label, action) => button(symbol, label, name, action, (element) => on.act(action, note, element));
  const isOwner = note.role === "owner";
  if (note.trashed_at) {
    return h("div.card-tools", {}, isOwner && act("undo", "Restore", "restore"), isOwner && act("trash", "Delete permanently", "delete"));
  }
  return h(
    "div.card-tools",
    {},
    act("pin", note.pinned ? "Unpin" : "Pin", note.pinned ? "unpin" : "pin"),
    act("bell", "Remind me", "remind"),
    act("user-plus", "Share", "share"),
    note.role !== "viewer" && act("color", "Colour", "color"),
    act("label", "Labels", "label"),
    act("archive", note.archived ? "Unarchive" : "Archive", note.archived ? "unarchive" : "archive"),
    isOwner ? act("trash", "Delete", "trash") : act("close", "Leave note", "leave"),
  );
}

// On a touch screen a long press selects the note, which shows its actions at the top.
function longPress(card, select) {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  card.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") return;
    timer = setTimeout(() => {
      card.dataset.pressed = "yes"; // the click that follows does not open the note
      setTimeout(() => delete card.dataset.pressed, 700);
      navigator.vibrate?.(10);
      select();
    }, LONG_PRESS);
  });
  for (const kind of ["pointerup", "pointercancel", "pointerleave", "pointermove"]) card.addEventListener(kind, stop);
  card.addEventListener("contextmenu", (event) => card.dataset.pressed && event.preventDefault());
}
