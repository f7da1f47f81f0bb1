// What can be done with one or several notes. Each is done at once and can be undone for seven seconds; only what the
// server cannot undo (delete for good, leave) waits until then.
import { beforeLeaving } from "../atrium/leaving.js";
import { atrium } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";
import { labelMenu } from "./labels.js";
import { reminderText } from "./look.js";
import { colorMenu } from "./menus.js";
import { reminderMenu } from "./reminder.js";
import { shareDialog } from "./share.js";

const UNDO = 7; // seconds
const BULK = 200; // notes in one call of the API
const INVERSE = { pin: "unpin", unpin: "pin", archive: "unarchive", unarchive: "archive", trash: "restore", restore: "trash" };
const DONE = { pin: "pinned", unpin: "unpinned", archive: "archived", unarchive: "moved out of the archive", trash: "moved to the trash", restore: "restored" };
const FIELDS = {
  pin: { pinned: true }, unpin: { pinned: false }, archive: { archived: true, pinned: false }, unarchive: { archived: false },
};

const count = (notes) => (notes.length === 1 ? "Note" : `${notes.length} notes`);

export class Actions {
  #held = new Map(); // what waits: function -> timer
  #changes = new Set(); // promises of the changes that are under way

  constructor(store, drafts) {
    this.store = store;
    this.drafts = drafts;
    beforeLeaving((options) => Promise.all([...this.#held.keys()].map((work) => work(options))));
  }

  // `name` is an action of a card, a key or the bar of selected notes; `notes` are its notes, `anchor` its button.
  async run(name, notes, anchor) {
    if (!notes.length) return;
    const [note] = notes;
    if (name in INVERSE) return this.#change(name, notes);
    if (name === "color") return colorMenu(anchor, notes.length === 1 ? note.color : "", (color) => this.color(notes, color));
    if (name === "label") return this.#labels(notes, anchor);
    if (name === "remind") return reminderMenu(anchor, note.remind_at, (iso) => this.remind(note, iso));
    if (name === "share") return this.share(note);
    if (name === "delete") return this.#hold(notes, `${count(notes)} deleted permanently.`, (options) => this.#bulk("delete", notes, {}, options));
    if (name === "empty trash") return this.#emptyTrash();
    if (name === "leave") return this.leave(note);
  }

  // Reversible changes of any number of notes.
  async #change(name, notes, { isUndo = false } = {}) {
    const mine = name === "trash" || name === "restore" ? notes.filter((note) => note.role === "owner") : notes;
    if (mine.length < notes.length) toast("Only the owner of a note can delete it. You can leave a shared note.", "warn");
    if (!mine.length) return;
    const before = mine.map((note) => this.store.notes.get(note.id) ?? note);
    await Promise.all(mine.map((note) => this.drafts.find(note.id)?.flush()));
    const fields = FIELDS[name] ?? { trashed_at: name === "trash" ? new Date().toISOString() : null };
    for (const note of before) this.store.put({ ...note, ...fields });
    const change = this.#bulk(name, mine).then((changed) => changed.forEach((note) => this.store.put(note)));
    this.#changes.add(change);
    try {
      await change;
    } catch (error) {
      for (const note of before) this.store.put(note);
      return toast(`Not ${DONE[name]}: ${error.message}`, "warn");
    } finally {
      this.#changes.delete(change);
    }
    this.#changed(mine);
    if (!isUndo) this.#undoable(`${count(mine)} ${DONE[name]}.`, () => this.#undo(name, before));
  }

  // Undo also pins again what archiving has unpinned.
  async #undo(name, before) {
    await this.#change(INVERSE[name], before, { isUndo: true });
    const pinned = before.filter((note) => note.pinned && name === "archive");
    if (pinned.length) await this.#change("pin", pinned, { isUndo: true });
  }

  async color(notes, color) {
    const before = notes.filter((note) => note.role !== "viewer").map((note) => ({ note, color: note.color }));
    const set = (note, value) => this.drafts.of(this.store.notes.get(note.id) ?? note).set({ color: value }, { now: true });
    for (const { note } of before) set(note, color);
    this.#undoable("Colour changed.", () => before.forEach((each) => set(each.note, each.color)));
  }

  async remind(note, iso) {
    const path = { id: note.id };
    const send = (value) => (value ? atrium.put("/notes/{id}/reminder/", { path, body: { remind_at: value } }) : atrium.delete("/notes/{id}/reminder/", { path }));
    const before = note.remind_at;
    const set = async (value) => {
      try {
        await send(value);
        await this.store.fetch(note.id);
        this.#changed([note]);
        return true;
      } catch (error) {
        toast(error.message, "warn");
        return false;
      }
    };
    if (!(await set(iso))) return;
    // A reminder in the past cannot be set again.
    const canUndo = !before || Date.parse(before) > Date.now();
    const text = iso ? `Reminder: ${reminderText(iso)}.` : "Reminder removed.";
    if (canUndo) this.#undoable(text, () => set(before));
    else toast(text, "ok");
  }

  #labels(notes, anchor) {
    const current = () => notes.map((note) => this.store.notes.get(note.id) ?? note);
    const state = (id) => {
      const having = current().filter((note) => note.labels.some((label) => label.id === id)).length;
      return having === 0 ? "false" : having === notes.length ? "true" : "mixed";
    };
    labelMenu(anchor, this.store, { state, choose: (label, wanted) => this.label(current(), label, wanted) });
  }

  async label(notes, label, wanted, { isUndo = false } = {}) {
    const changed = notes.filter((note) => note.labels.some((each) => each.id === label.id) !== wanted);
    if (!changed.length) return;
    try {
      for (const note of await this.#bulk(wanted ? "add_labels" : "remove_labels", changed, { label_ids: [label.id] })) this.store.put(note);
    } catch (error) {
      return toast(error.message, "warn");
    }
    this.#changed(changed);
    this.store.loadLabels().catch(() => {});
    if (!isUndo) this.#undoable(`${count(changed)} ${wanted ? "labelled" : "no longer labelled"} “${label.name}”.`, () => this.label(changed.map((note) => this.store.notes.get(note.id) ?? note), label, !wanted, { isUndo: true }));
  }

  share(note) {
    shareDialog(note, {
      me: document.documentElement.dataset.user,
      changed: () => {
        this.store.fetch(note.id).catch(() => {});
        this.#changed([note]);
      },
      leave: () => this.leave(note),
    });
  }

  leave(note) {
    const path = { id: note.id, usercode: document.documentElement.dataset.user };
    this.#hold([note], "You left the note.", (options) => atrium.delete("/notes/{id}/collaborators/{usercode}/", { path, ...options }));
  }

  // What is moved to the trash after this stays there, also from another device.
  async #emptyTrash() {
    await Promise.allSettled(this.#changes); // until then the page does not know when the notes were moved
    await this.store.rest();
    const isMine = (note) => note.trashed_at && note.role === "owner";
    const mine = [...this.store.notes.values()].filter(isMine);
    if (!mine.length) return;
    const trashed_until = mine.map((note) => note.trashed_at).sort().at(-1);
    this.#hold(mine, "Trash emptied.", (options) => atrium.delete("/notes/trashed/", { query: { trashed_until }, ...options }), (note) => isMine(note) && note.trashed_at <= trashed_until);
  }

  // Do what cannot be undone after seven seconds, or when the page is left. Until then the notes are hidden: those for
  // which `test` is true, by default `notes`.
  #hold(notes, text, send, test = ({ id }) => ids.has(id)) {
    const ids = new Set(notes.map((note) => note.id));
    const show = this.store.hide(test);
    const cancel = () => {
      clearTimeout(this.#held.get(work));
      this.#held.delete(work);
    };
    const work = async (options) => {
      cancel();
      try {
        await send(options);
        for (const id of this.store.ids(test)) this.store.remove(id);
        for (const id of ids) this.store.share(id, "deleted");
      } catch (error) {
        toast(error.message, "warn");
      }
      show();
    };
    this.#held.set(work, setTimeout(work, UNDO * 1000));
    this.#undoable(text, () => {
      cancel();
      show();
      this.store.refresh(); // what was loaded meanwhile
    });
  }

  async #bulk(action, notes, extra = {}, options = {}) {
    const results = [];
    const ids = notes.map((note) => note.id);
    for (let start = 0; start < ids.length; start += BULK) {
      const body = { action, ids: ids.slice(start, start + BULK), ...extra };
      results.push(...(await atrium.post("/notes/bulk/", { body, ...options })).results);
    }
    return results;
  }

  #changed(notes) {
    for (const note of notes) this.store.share(note.id);
  }

  #undoable(text, undo) {
    toast(text, "info", UNDO, { label: "Undo", run: undo });
  }
}
