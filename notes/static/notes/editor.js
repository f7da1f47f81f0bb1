// The dialog with one note: its fields, what belongs to the user (labels, reminder), who else sees it, and all actions.
import { avatar, clock, h, icon } from "../atrium/dom.js";
import { toast } from "../atrium/toast.js";
import { titleOf } from "./cards.js";
import { conflictDialog } from "./conflict.js";
import { NoteForm } from "./form.js";
import { paint, reminderText } from "./look.js";
import { isEmpty } from "./merge.js";

export class Editor {
  #dialog = null;
  #conflict = null;

  // `closed()` is called when the user closes the dialog.
  constructor({ store, drafts, actions, closed }) {
    Object.assign(this, { store, drafts, actions, closed });
    store.addEventListener("changed", () => this.#dialog && this.#drawAround());
    store.addEventListener("removed", ({ detail }) => detail === this.id && !this.draft?.isDirty && this.close());
  }

  get id() {
    return this.#dialog ? this.draft.noteId : null;
  }

  get note() {
    return this.store.notes.get(this.draft.noteId);
  }

  open(note) {
    if (this.id === note.id) return;
    this.close({ silently: true });
    this.draft = this.drafts.of(note);
    const readOnly = note.role === "viewer" || Boolean(note.trashed_at);
    this.form = new NoteForm(this.draft, { readOnly, reading: true });
    this.chips = h("div.chips");
    this.tools = h("div.row.form-tools");
    this.about = h("p.small.muted.about");
    this.problem = h("div.row.problem", { hidden: true });
    const done = h("button.button.small", { type: "button", onclick: () => this.#dialog.close() }, "Done");
    this.#dialog = h("dialog.editor", { "aria-label": titleOf(note) }, this.form.element, this.problem, this.chips, this.about, h("div.form-bar", {}, this.tools, this.form.status, done));
    this.form.element.addEventListener("state", () => this.#drawState());
    this.form.element.addEventListener("reading", () => this.#drawAround());
    const dialog = this.#dialog;
    dialog.addEventListener("close", () => dialog === this.#dialog && this.#closed());
    dialog.addEventListener("click", (event) => event.target === dialog && isOutside(event, dialog) && dialog.close());
    dialog.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && dialog.close());
    document.body.append(dialog);
    this.#drawAround();
    this.#drawState();
    dialog.showModal();
    // Focus the dialog's text where it is empty; otherwise the dialog itself, so that screen readers begin at the top.
    if (!readOnly && isEmpty(this.draft.content)) this.form.focus();
    else dialog.focus();
  }

  // Close the dialog, such as after Back. `silently`: the address is right already.
  close({ silently = false } = {}) {
    if (!this.#dialog) return;
    this.silent = silently;
    this.#dialog.close();
    if (this.#dialog) this.#closed(); // the event comes later
  }

  async #closed() {
    const { draft, silent } = this;
    const dialog = this.#dialog;
    this.#dialog = null;
    this.silent = false;
    this.form.close();
    dialog.remove();
    if (!silent) this.closed(draft.noteId);
    const note = this.store.notes.get(draft.noteId);
    await draft.flush();
    if (isEmpty(draft.content) && note?.role === "owner" && !note.trashed_at) this.actions.run("trash", [note]);
  }

  // Somebody else has changed the note.
  changedBy(username) {
    if (username) this.by = username;
    this.#drawAround();
  }

  #drawState() {
    if (!this.#dialog) return;
    paint(this.#dialog, this.draft.content.color);
    const { state } = this.draft;
    const button = (text, onclick) => h("button.button.secondary.small", { type: "button", onclick }, text);
    const ways = {
      conflict: () => [button("Compare versions", () => this.#compare())],
      gone: () => [button("Save as a new note", () => this.#saveAsNew())],
      refused: () => [button("Save as a new note", () => this.#saveAsNew())],
      "signed-out": () => [h("a.button.secondary.small", { href: `/login/?next=${encodeURIComponent(location.pathname)}` }, "Sign in")],
    };
    this.problem.hidden = !(state in ways);
    this.problem.replaceChildren(...(ways[state]?.() ?? []));
    if (state === "conflict" && !this.#conflict) this.#compare();
  }

  #compare() {
    this.#conflict = conflictDialog(this.draft, { keepAsCopy: (content) => this.#copy(content) });
    this.#conflict.addEventListener("close", () => (this.#conflict = null));
  }

  async #copy(content) {
    const copy = this.drafts.fresh();
    copy.set({ ...content, title: content.title && `${content.title} (my version)` }, { now: true });
    await copy.flush();
    toast("Your version is a note of its own.", "ok");
  }

  async #saveAsNew() {
    const copy = this.drafts.fresh();
    copy.set(this.draft.content, { now: true });
    await copy.flush();
    this.draft.discard();
    this.#dialog?.close();
    toast("Saved as a new note.", "ok");
  }

  #drawAround() {
    const { note } = this;
    if (!note || !this.#dialog) return;
    const others = [note.owner, ...note.collaborators].filter((each) => each.usercode !== document.documentElement.dataset.user);
    const chip = (name, label, ...children) => h("button.tag", { type: "button", "aria-label": label, onclick: (event) => this.#act(name, event.currentTarget) }, ...children);
    replaceAll(
      this.chips,
      note.remind_at && chip("remind", `Reminder: ${reminderText(note.remind_at)}. Change`, icon("bell"), reminderText(note.remind_at)),
      ...note.labels.map((label) => chip("label", `Label ${label.name}. Change labels`, icon("label"), label.name)),
      others.length > 0 && chip("share", `Shared with ${others.map((each) => each.username).join(", ")}`, ...others.slice(0, 5).map((each) => avatar(each, "small")), others.length > 5 && `+${others.length - 5}`),
    );
    this.about.textContent = `${this.by ? `Changed by ${this.by}` : "Changed"} ${clock.short(note.updated_at)}${note.role === "viewer" ? ". You can view this note, not edit it." : ""}${note.trashed_at ? ". In the trash: restore it to edit it." : ""}`;
    this.#drawTools(note);
  }

  #drawTools(note) {
    const focus = this.tools.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    const button = (symbol, label, name, run = (event) => this.#act(name, event.currentTarget)) => h("button.button.quiet.icon-only.small", { type: "button", title: label, "aria-label": label, "data-focus": name, onclick: run }, icon(symbol));
    const isOwner = note.role === "owner";
    const canEdit = note.role !== "viewer";
    const reads = !this.form.rendered.hidden;
    replaceAll(
      this.tools,
      ...(note.trashed_at
        ? [isOwner && button("undo", "Restore", "restore"), isOwner && button("trash", "Delete permanently", "delete")]
        : [
            canEdit && (note.body || this.draft.content.body) && button(reads ? "edit" : "book", reads ? "Edit the text" : "Show as Markdown", "read", () => this.form.read(!reads)),
            canEdit && button("checklist", this.form.hasChecklist ? "Checklist to text" : "Text to checklist", "checklist", () => this.form.toggleChecklist()),
            button("pin", note.pinned ? "Unpin" : "Pin", note.pinned ? "unpin" : "pin"),
            button("bell", "Remind me", "remind"),
            button("user-plus", "Share", "share"),
            canEdit && button("color", "Colour", "color"),
            button("label", "Labels", "label"),
            button("archive", note.archived ? "Unarchive" : "Archive", note.archived ? "unarchive" : "archive"),
            isOwner ? button("trash", "Delete", "trash") : button("close", "Leave note", "leave"),
          ]),
    );
    if (focus) (this.tools.querySelector(`[data-focus="${focus}"]`) ?? this.tools.querySelector("button"))?.focus();
  }

  async #act(name, anchor) {
    const { note } = this;
    await this.draft.flush();
    this.actions.run(name, [this.store.notes.get(note.id) ?? note], anchor);
    if (["archive", "unarchive", "trash", "restore", "delete", "leave"].includes(name)) this.#dialog?.close();
  }
}

const replaceAll = (box, ...children) => box.replaceChildren(...children.filter(Boolean));

function isOutside({ clientX, clientY }, dialog) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}
