// "Take a note…": expands in place, saves while the user types, and leaves the note in the list when it is closed.
import { $, h, icon } from "../atrium/dom.js";
import { NoteForm } from "./form.js";
import { paint } from "./look.js";
import { colorMenu } from "./menus.js";
import { isEmpty } from "./merge.js";

export class Composer {
  #form = null;
  #show = null; // ends the hiding of the note's card

  constructor({ drafts, store, labelId }) {
    this.drafts = drafts;
    this.store = store;
    this.labelId = labelId; // a function: the label of the list, which a new note gets
    this.box = $("composer");
    this.closed = $("composer-closed");
    $("take-note").addEventListener("click", () => this.open());
    $("take-list").addEventListener("click", () => this.open({ list: true }));
    // Closed by a click elsewhere, but not by one in a menu of the composer.
    document.addEventListener("pointerdown", ({ target }) => this.#form && !this.box.contains(target) && !target.closest(".popup, .toasts, dialog") && this.close());
  }

  get isOpen() {
    return Boolean(this.#form);
  }

  open({ list = false, draft = null } = {}) {
    if (this.#form) return this.#form.focus();
    const labelIds = this.labelId() ? [this.labelId()] : [];
    this.draft = draft ?? this.drafts.fresh({ labelIds });
    this.#show = this.store.hide(({ id }) => id === this.draft.noteId); // a card below its own form would be confusing
    this.#form = new NoteForm(this.draft);
    if (list) this.#form.toggleChecklist();
    const color = h("button.button.quiet.icon-only.small", { type: "button", title: "Colour", "aria-label": "Colour" }, icon("color"));
    color.addEventListener("click", () => colorMenu(color, this.draft.content.color, (name) => this.draft.set({ color: name })));
    const checklist = h("button.button.quiet.icon-only.small", { type: "button", title: "Checklist", "aria-label": "Checklist", onclick: () => this.#form.toggleChecklist() }, icon("checklist"));
    const close = h("button.button.small", { type: "button", onclick: () => this.close() }, "Done");
    this.open_ = h("section.composer-open", { "aria-label": "New note" }, this.#form.element, h("div.row.between.form-bar", {}, h("div.row", {}, color, checklist), this.#form.status, close));
    const follow = () => paint(this.open_, this.draft.content.color);
    this.#form.element.addEventListener("state", follow);
    follow();
    this.open_.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" && !(event.key === "Enter" && (event.ctrlKey || event.metaKey))) return;
      event.preventDefault();
      this.close();
      $("take-note").focus();
    });
    this.closed.hidden = true;
    this.box.append(this.open_);
    this.#form.focus();
  }

  // Leave the note as it is. One without any text is not created, or deleted if it was.
  async close() {
    const { draft } = this;
    this.#form?.close();
    this.#form = null;
    this.open_?.remove();
    this.closed.hidden = false;
    this.#show?.();
    if (!isEmpty(draft.content)) {
      await draft.flush();
      const note = draft.noteId && this.store.notes.get(draft.noteId);
      if (note) this.store.put(note);
    } else if (!draft.noteId) draft.discard();
    this.onclose?.(draft);
  }
}
