// Several selected notes, and the bar with what can be done with them.
import { $, h, icon } from "../atrium/dom.js";

export class Selection extends EventTarget {
  #ids = new Set();
  #last = null;

  constructor(store, act) {
    super();
    this.store = store;
    this.act = act;
    this.bar = $("selection");
    store.addEventListener("changed", () => this.#prune());
  }

  has(id) {
    return this.#ids.has(id);
  }

  get size() {
    return this.#ids.size;
  }

  get notes() {
    return [...this.#ids].map((id) => this.store.notes.get(id)).filter(Boolean);
  }

  // With `range`, everything between the last choice and this one.
  set(id, wanted, range = false) {
    const { order } = this.store;
    const [from, to] = [order.indexOf(this.#last), order.indexOf(id)].sort((a, b) => a - b);
    const ids = range && from >= 0 ? order.slice(from, to + 1) : [id];
    for (const each of ids) wanted ? this.#ids.add(each) : this.#ids.delete(each);
    this.#last = id;
    this.#changed();
  }

  // All notes of the list, also those that are not loaded yet.
  async all() {
    await this.store.rest();
    for (const id of this.store.order) this.#ids.add(id);
    this.#changed();
  }

  clear() {
    if (!this.#ids.size) return;
    this.#ids.clear();
    this.#changed();
  }

  // Notes that left the list are no longer selected.
  #prune() {
    const before = this.#ids.size;
    const present = new Set(this.store.order);
    for (const id of this.#ids) if (!present.has(id)) this.#ids.delete(id);
    if (this.#ids.size !== before) this.#changed();
  }

  #changed() {
    this.#draw();
    this.dispatchEvent(new Event("changed"));
  }

  #draw() {
    this.bar.hidden = !this.#ids.size;
    $("tools").hidden = this.#ids.size > 0;
    if (!this.#ids.size) return this.bar.replaceChildren();
    const { notes } = this;
    const button = (symbol, label, name) => h("button.button.quiet.icon-only", { type: "button", title: label, "aria-label": label, "data-focus": name, onclick: (event) => this.act(name, this.notes, event.currentTarget) }, icon(symbol));
    const isTrash = this.store.view.name === "trash";
    const one = notes.length === 1;
    const every = (field) => notes.every((note) => note[field]);
    const focus = this.bar.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    this.bar.replaceChildren(
      h("button.button.quiet.icon-only", { type: "button", "aria-label": "Clear the selection", title: "Clear the selection", onclick: () => this.clear() }, icon("close")),
      h("strong", { role: "status" }, `${notes.length} selected`),
      h("button.button.quiet.small", { type: "button", onclick: () => this.all() }, "Select all"),
      h("span.grow"),
      ...(isTrash
        ? [button("undo", "Restore", "restore"), button("trash", "Delete permanently", "delete")]
        : [
            every("pinned") ? button("pin", "Unpin", "unpin") : button("pin", "Pin", "pin"),
            one && button("bell", "Remind me", "remind"),
            one && button("user-plus", "Share", "share"),
            button("color", "Colour", "color"),
            button("label", "Labels", "label"),
            every("archived") ? button("archive", "Unarchive", "unarchive") : button("archive", "Archive", "archive"),
            button("trash", "Delete", "trash"),
          ].filter(Boolean)),
    );
    if (focus) this.bar.querySelector(`[data-focus="${focus}"]`)?.focus();
  }
}
