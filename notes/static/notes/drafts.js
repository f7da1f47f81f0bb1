// Saves while a user types, and keeps what is not saved yet.
//
// A draft is the content of one note as it is being written here. Each change is stored in this browser at once, and sent
// a moment later. The stored copy is deleted when the server has it, so a crash or an outage loses nothing: the next visit
// sends what is left. A new note is created with an Idempotency-Key and always the same body, so that it is created once
// even if the answer is lost; later text follows as a change. A change names the version that it is based on. If somebody
// else was faster (412), both changes are merged (merge.js); if both changed the same text, the user chooses.
import { beforeLeaving } from "../atrium/leaving.js";
import { atrium, randomKey } from "../atrium/site.js";
import { BLANK, FIELDS, contentOf, isEmpty, merge, same } from "./merge.js";

const PAUSE = 700; // milliseconds after a key until the text is sent
const RETRY = 5000;
const BROKEN = { 404: "gone", 403: "refused", 409: "refused", 400: "refused", 413: "refused" };

// Events: "changed" (the content), "state", "saved" (detail: the note from the server), "merged" (show the content again).
// States: "saved", "waiting" (a change is not sent yet), "saving", "offline", "signed-out", "conflict", "gone", "refused".
export class Draft extends EventTarget {
  state = "saved";
  error = null;
  theirs = null; // the note on the server, while there is a conflict
  #drafts;
  #timer = 0;
  #saving = null;
  #unlock = null;

  constructor(drafts, { id = randomKey(), key = randomKey(), noteId = null, version = 0, base = BLANK, content = base, labelIds = [], create = null }) {
    super();
    this.#drafts = drafts;
    Object.assign(this, { id, key, noteId, version, base, content: structuredClone(content), labelIds, create });
  }

  get isDirty() {
    return Boolean(this.create) || (this.noteId ? !same(this.content, this.base) : !isEmpty(this.content));
  }

  // Change the content. It is sent after a pause, or `now`.
  set(changes, { now = false } = {}) {
    Object.assign(this.content, structuredClone(changes));
    this.#store();
    this.#emit("changed");
    if (["conflict", "gone"].includes(this.state)) return;
    this.#setState("waiting");
    clearTimeout(this.#timer);
    if (now) this.flush();
    else this.#timer = setTimeout(() => this.flush(), PAUSE);
  }

  // Send what is not saved. Resolves when it is saved or has failed.
  flush(options) {
    clearTimeout(this.#timer);
    if (["conflict", "gone"].includes(this.state)) return Promise.resolve();
    this.#saving ??= this.#save(options).finally(() => (this.#saving = null));
    return this.#saving;
  }

  // The note's id, which a new note gets when it is created.
  async created() {
    if (!this.noteId) await this.flush();
    return this.noteId;
  }

  // The note was changed elsewhere: show it, unless there are changes here, which are merged when they are sent.
  update(note) {
    if (this.state === "conflict" || note.version <= this.version) return;
    if (this.isDirty || this.#saving) return this.flush();
    this.#rebase(note, contentOf(note));
    this.#emit("merged");
  }

  // End a conflict. `content` is what the note will have; what the server has becomes its base.
  resolve(content) {
    const { theirs } = this;
    this.theirs = null;
    this.#rebase(theirs, content);
    this.#setState("waiting");
    this.#emit("merged");
    this.#emit("changed");
    this.#store();
    return this.flush();
  }

  // Give up what is not saved.
  discard() {
    clearTimeout(this.#timer);
    this.content = structuredClone(this.base);
    this.create = null;
    this.#forget();
    this.#drafts.drop(this);
  }

  async #save(options) {
    while (this.isDirty) {
      this.#setState("saving");
      try {
        const note = this.noteId ? await this.#change(options) : await this.#create(options);
        if (!note) return;
        this.#emit("saved", note);
      } catch (error) {
        return this.#failed(error);
      }
    }
    this.#forget();
    this.#setState("saved");
  }

  async #create(options) {
    this.create ??= { ...structuredClone(this.content), label_ids: this.labelIds };
    this.#store();
    const note = await atrium.post("/notes/", { body: this.create, idempotencyKey: this.key, maxRetries: 0, ...options });
    this.create = null;
    this.noteId = note.id;
    this.#drafts.add(this);
    this.#rebase(note, this.content);
    this.#store();
    return note;
  }

  async #change(options) {
    const changes = Object.fromEntries(FIELDS.filter((field) => !same(this.content[field], this.base[field])).map((field) => [field, this.content[field]]));
    const path = { id: this.noteId };
    try {
      const note = await atrium.patch("/notes/{id}/", { path, body: changes, ifMatch: `"${this.version}"`, maxRetries: 0, ...options });
      this.#rebase(note, this.content);
      return note;
    } catch (error) {
      if (error.status !== 412) throw error;
    }
    const theirs = await atrium.get("/notes/{id}/", { path, maxRetries: 0 });
    const { merged, conflicts } = merge(this.base, this.content, contentOf(theirs));
    if (conflicts.length) {
      this.theirs = theirs;
      this.#store();
      this.#setState("conflict");
      return null;
    }
    this.#rebase(theirs, merged);
    this.#emit("merged");
    return theirs;
  }

  #failed(error) {
    this.error = error;
    if (error.status === 401 || (error.status === 403 && error.code === "not_authenticated")) return this.#setState("signed-out");
    if (error.status === 400 && this.create) Object.assign(this, { create: null, key: randomKey() }); // it was not created
    const state = BROKEN[error.status] ?? "offline";
    this.#setState(state);
    if (state === "offline") this.#timer = setTimeout(() => this.flush(), Math.max(RETRY, (error.retryAfter ?? 0) * 1000));
  }

  #rebase(note, content) {
    this.version = note.version;
    this.base = contentOf(note);
    this.content = structuredClone(content);
  }

  // --- The copy in this browser ---------------------------------------------------------------------------------------

  #store() {
    const { id, key, noteId, version, base, content, labelIds, create } = this;
    if (!this.isDirty) return this.#forget();
    try {
      localStorage.setItem(this.#drafts.prefix + id, JSON.stringify({ id, key, noteId, version, base, content, labelIds, create }));
    } catch {
      // Without storage the text is only in this page until it is sent.
    }
    this.hold();
  }

  // Other tabs must not send this draft while this page does.
  hold() {
    if (this.#unlock || !navigator.locks) return;
    this.#unlock = () => {};
    navigator.locks.request(this.#drafts.prefix + this.id, () => new Promise((resolve) => (this.#unlock = resolve)));
  }

  #forget() {
    try {
      localStorage.removeItem(this.#drafts.prefix + this.id);
    } catch {
      // Nothing was stored.
    }
    this.#unlock?.();
    this.#unlock = null;
  }

  #setState(state) {
    if (state === "saved" || state === "saving") this.error = null;
    this.state = state;
    this.#emit("state");
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
    this.#drafts.dispatchEvent(new CustomEvent(type, { detail: { draft: this, note: detail } }));
  }
}

// All drafts of this page. Emits the events of each, with the draft as `detail.draft`.
export class Drafts extends EventTarget {
  #byNote = new Map();
  #all = new Set();

  constructor(usercode) {
    super();
    this.prefix = `atrium.notes.draft.${usercode}.`;
    addEventListener("online", () => this.flushAll());
    beforeLeaving((options) => this.flushAll(options));
  }

  fresh(fields = {}) {
    const draft = new Draft(this, fields);
    this.#all.add(draft);
    return draft;
  }

  // The draft of a note: the one that is being edited, or a new one.
  of(note) {
    const known = this.#byNote.get(note.id);
    if (known) {
      known.update(note);
      return known;
    }
    const draft = this.fresh({ noteId: note.id, version: note.version, base: contentOf(note) });
    this.add(draft);
    return draft;
  }

  find(noteId) {
    return this.#byNote.get(noteId);
  }

  add(draft) {
    this.#byNote.set(draft.noteId, draft);
  }

  drop(draft) {
    this.#all.delete(draft);
    if (this.#byNote.get(draft.noteId) === draft) this.#byNote.delete(draft.noteId);
  }

  get unsaved() {
    return [...this.#all].filter((draft) => draft.isDirty);
  }

  flushAll(options) {
    return Promise.all(this.unsaved.map((draft) => draft.flush(options)));
  }

  // Continue with what an earlier page has stored and no other tab holds. Returns those drafts.
  async recover() {
    const found = [];
    for (const name of this.#stored()) {
      if (navigator.locks && !(await navigator.locks.request(name, { ifAvailable: true }, Boolean))) continue;
      try {
        const draft = this.fresh(JSON.parse(localStorage.getItem(name)));
        draft.hold();
        if (draft.noteId) this.add(draft);
        found.push(draft);
      } catch {
        localStorage.removeItem(name); // not a draft
      }
    }
    await Promise.all(found.map((draft) => draft.flush()));
    return found;
  }

  #stored() {
    try {
      return Object.keys(localStorage).filter((name) => name.startsWith(this.prefix));
    } catch {
      return [];
    }
  }
}
