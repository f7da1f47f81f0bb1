// The notes of the current list, and the labels. It loads pages from the API and emits "changed"; the views read from it.
import { api } from "../atrium/api.js";
import { live } from "../atrium/live.js";
import { matches, queryOf } from "./view.js";

const NOTES = "/api/v1/notes/";
const NEXT_PAGES = 200; // the first page is smaller, so that its cards appear sooner

export class Store extends EventTarget {
  notes = new Map(); // id -> note
  order = []; // ids of the list, in its order
  labels = [];
  view = null;
  loaded = false;
  error = null;
  #next = "";
  #loading = null;
  #abort = null;

  changed(part = "list") {
    this.dispatchEvent(new CustomEvent("changed", { detail: part }));
  }

  get list() {
    return this.order.map((id) => this.notes.get(id));
  }

  get hasMore() {
    return Boolean(this.#next);
  }

  // --- Loading ------------------------------------------------------------------------------------------------------

  // Show another list. The present one stays until the first page of the new one is here.
  async open(view) {
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.view = view;
    this.loaded = false;
    this.error = null;
    this.#loading = this.#load(`${NOTES}?${queryOf(view)}`, true);
    await this.#loading;
  }

  // Load the next page, if there is one.
  async more() {
    if (this.#loading || !this.#next) return;
    const query = new URL(this.#next, location.href).searchParams;
    query.set("page_size", NEXT_PAGES);
    this.#loading = this.#load(`${NOTES}?${query}`, false);
    this.changed("loading");
    await this.#loading;
  }

  async #load(path, isFirst) {
    const { signal } = this.#abort;
    try {
      const { data } = await api(path, { signal });
      if (isFirst) {
        this.order = [];
        this.loaded = true;
      }
      const known = new Set(this.order);
      for (const note of data.results) {
        this.notes.set(note.id, note);
        if (!known.has(note.id) && matches(note, { ...this.view, q: "" })) this.order.push(note.id);
      }
      if (this.view.name === "reminders") this.order.sort((a, b) => Date.parse(this.notes.get(a).remind_at) - Date.parse(this.notes.get(b).remind_at));
      this.#next = data.next;
      this.error = null;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.error = error;
    } finally {
      if (!signal.aborted) this.#loading = null;
    }
    if (!signal.aborted) this.changed();
  }

  // Load the first page again, after events may have been missed. The list keeps its place.
  async refresh() {
    const { view } = this;
    const { data } = await api(`${NOTES}?${queryOf(view)}`).catch(() => ({ data: null }));
    if (!data || view !== this.view) return;
    if (!data.next) {
      const present = new Set(data.results.map((note) => note.id));
      for (const id of this.order.filter((each) => !present.has(each))) this.remove(id);
    }
    for (const note of data.results.reverse()) this.put(note);
  }

  async loadLabels() {
    this.labels = (await api("/api/v1/labels/?page_size=200")).data.results;
    this.changed("labels");
  }

  // Load a note that may not be in the list. Returns null if the user does not see it any more.
  async fetch(id) {
    try {
      const { data } = await api(`${NOTES}${id}/`);
      this.put(data);
      return data;
    } catch (error) {
      if (error.status !== 404) throw error;
      this.remove(id);
      return null;
    }
  }

  // --- Changes ------------------------------------------------------------------------------------------------------

  // Store a note as the server returned it, or as it will be. In the list it stays where it is, so that a note does not
  // jump while it is edited; a note that is new in the list, or was pinned or unpinned, is first among its kind.
  put(note) {
    const before = this.notes.get(note.id);
    this.notes.set(note.id, note);
    const index = this.order.indexOf(note.id);
    const belongs = this.view && matches(note, index < 0 ? this.view : { ...this.view, q: "" });
    if (index >= 0 && (!belongs || before.pinned !== note.pinned)) this.order.splice(index, 1);
    if (belongs && (index < 0 || before.pinned !== note.pinned) && this.loaded) {
      const place = this.order.findIndex((id) => note.pinned || !this.notes.get(id).pinned);
      this.order.splice(place < 0 ? this.order.length : place, 0, note.id);
    }
    this.changed();
  }

  remove(id) {
    this.notes.delete(id);
    const index = this.order.indexOf(id);
    if (index >= 0) this.order.splice(index, 1);
    this.changed();
    this.dispatchEvent(new CustomEvent("removed", { detail: id }));
  }

  // Tell the other tabs of this browser about an own change.
  share(id, action = "changed") {
    live.share("note", { id, action, by: null });
  }
}
