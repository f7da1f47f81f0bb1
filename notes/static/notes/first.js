// The list of cards. It shows the first ones, which are in the page's HTML, before the other modules are loaded: app.js
// continues with what is here.
import { $ } from "../atrium/dom.js";
import { buildCard, estimate } from "./cards.js";
import { Masonry } from "./masonry.js";

// What is done on a card before app.js is ready waits for it.
export const early = [];
export const on = Object.fromEntries(["open", "select", "act", "tick"].map((name) => [name, (...args) => early.push([name, args])]));
export const selected = { has: () => false, size: 0 }; // app.js replaces both members

const versions = new WeakMap(); // a note object never changes: a change makes a new one
let lastVersion = 0;
function versionOf(note) {
  if (!versions.has(note)) versions.set(note, ++lastVersion);
  return versions.get(note);
}

export const cards = new Masonry($("cards"), {
  describe: (note) => ({
    key: note.id,
    version: `${versionOf(note)}${selected.has(note.id) ? " selected" : ""}`,
    build: () => buildCard(note, on, { isSelected: selected.has(note.id), isSelecting: () => selected.size > 0 }),
    estimate: (width) => estimate(note, width),
  }),
  near: () => on.near?.(),
});

// Show notes, pinned ones first if `hasPins`.
export function showCards(notes, hasPins) {
  const pinned = hasPins ? notes.filter((note) => note.pinned) : [];
  const others = pinned.length ? notes.filter((note) => !note.pinned) : notes;
  cards.set(pinned.length ? [{ title: "Pinned", items: pinned }, { title: others.length ? "Others" : "", items: others }] : [{ items: others }]);
}

export function asList() {
  try {
    return localStorage.getItem("atrium.notes.layout") === "list";
  } catch {
    return false;
  }
}

// The API's page in the HTML, if it is that of `path`. It is used once.
let page = readPage();
export function takePage(path) {
  const found = page?.path === path ? page : null;
  page = null;
  return found;
}

function readPage() {
  const element = $("first-page");
  if (!element) return null;
  const { path, etag } = element.dataset;
  return { path, data: JSON.parse(element.textContent), headers: new Headers({ ETag: etag }) };
}

if (page) {
  cards.asList = asList();
  showCards(page.data.results, true);
}
