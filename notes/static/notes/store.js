// The notes of the current list, and the labels. It loads pages from the API and emits "changed"; the views read from it.
import { live } from "../atrium/live.js";
import { Loader, atrium, nextQuery } from "../atrium/site.js";
import { takePage } from "./first.js";
import { PAGE, matches, queryOf } from "./view.js";

const NEXT_PAGES = 200; // the first page is smaller, so that its cards appear sooner

export class Store extends EventTarget {
  notes = new Map(); // id -> note
  order = []; // ids of the list, in its order
  labels = [];
  view = null;
  loaded = false;
  error = null;
  #hidden = new Set(); // functions of a note: whether it is hidden, because it will be deleted in a moment
  #next = null; // the query of the next page
  #etag = ""; // of the first page
  #loading = null;
  #abort = null;
  #clock = 0; // ticks with each put() and remove()
  #changedAt = new Map(); // id -> the tick of its last change
  #listLoader = new Loader(() => this.#fetchAgain(), (pages) => this.#replace(pages));
  #labelsLoader = new Loader(() => atrium.get("/labels/", { query: { page_size: 200 } }), ({ results }) => this.#setLabels(results));

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
    this.#loading = this.#load(firstPage(view), true);
    await this.#loading;
  }

  // Load the next page, if there is one.
  async more() {
    if (this.#loading || !this.#next) return;
    this.#loading = this.#load(this.#next, false);
    this.changed("loading");
    await this.#loading;
  }

  // Load all pages.
  async rest() {
    while ((this.#loading || this.#next) && !this.error) await (this.#loading ?? this.more());
  }

  async #load(query, isFirst) {
    const { signal } = this.#abort;
    const since = this.#clock;
    try {
      const given = isFirst && takePage(`/api/v1/notes/?${new URLSearchParams(query)}`);
      const page = await (given ? given.data : atrium.get("/notes/", { query, signal }));
      if (isFirst) {
        this.order = [];
        this.loaded = true;
        this.#etag = (given ? given.headers.get("ETag") : atrium.etag(page)) ?? "";
      }
      this.#append(page, since);
      this.error = null;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.error = error;
    } finally {
      if (!signal.aborted) this.#loading = null;
    }
    if (!signal.aborted) this.changed();
  }

  // Add a page. What was changed or removed here `since` it was requested is newer.
  #append(page, since) {
    const known = new Set(this.order);
    for (const answer of page.results) {
      const note = (this.#changedAt.get(answer.id) ?? 0) > since ? this.notes.get(answer.id) : answer;
      if (!note) continue;
      this.notes.set(note.id, note);
      if (!known.has(note.id) && this.#belongs(note, { ...this.view, q: "" })) this.order.push(note.id);
    }
    if (this.view.name === "reminders") this.order.sort((a, b) => Date.parse(this.notes.get(a).remind_at) - Date.parse(this.notes.get(b).remind_at));
    this.#next = nextPage(page);
  }

  // Load the list again as far as it was loaded: events may have been missed.
  refresh() {
    return this.#listLoader.run().catch(() => {}); // the next event or visit tries again
  }

  async #fetchAgain() {
    await this.#loading;
    const { view, order } = this;
    const since = this.#clock;
    const isWhole = order.length <= PAGE && this.#etag; // its tag says whether anything has changed
    const response = await atrium.fetch(`/notes/?${queryOf(view)}`, { headers: isWhole ? { "If-None-Match": this.#etag } : {} });
    if (!response.ok) return null; // 304: nothing has changed; or an error
    const pages = [await response.json()];
    for (let loaded = pages[0].results.length; pages.at(-1).next && loaded < order.length; loaded += pages.at(-1).results.length) pages.push(await atrium.get("/notes/", { query: nextPage(pages.at(-1)) }));
    return { view, pages, since, etag: response.headers.get("ETag") ?? "" };
  }

  #replace(fetched) {
    if (!fetched || fetched.view !== this.view || this.#loading) return;
    this.#etag = fetched.etag;
    this.order = [];
    for (const page of fetched.pages) this.#append(page, fetched.since);
    this.changed();
  }

  loadLabels() {
    return this.#labelsLoader.run();
  }

  #setLabels(labels) {
    this.labels = labels;
    this.changed("labels");
  }

  // Load a note that may not be in the list. Returns null if the user does not see it any more.
  async fetch(id) {
    try {
      const note = await atrium.get("/notes/{id}/", { path: { id } });
      this.put(note);
      return note;
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
    this.#changedAt.set(note.id, ++this.#clock);
    const index = this.order.indexOf(note.id);
    const belongs = this.view && this.#belongs(note, index < 0 ? this.view : { ...this.view, q: "" });
    if (index >= 0 && (!belongs || before.pinned !== note.pinned)) this.order.splice(index, 1);
    if (belongs && (index < 0 || before.pinned !== note.pinned) && this.loaded) {
      const place = this.order.findIndex((id) => note.pinned || !this.notes.get(id).pinned);
      this.order.splice(place < 0 ? this.order.length : place, 0, note.id);
    }
    this.changed();
  }

  remove(id) {
    this.notes.delete(id);
    this.#changedAt.set(id, ++this.#clock);
    const index = this.order.indexOf(id);
    if (index >= 0) this.order.splice(index, 1);
    this.changed();
    this.dispatchEvent(new CustomEvent("removed", { detail: id }));
  }

  // Hide the notes for which `test(note)` is true. Returns a function that shows those again that still belong here.
  hide(test) {
    const { view, order } = this;
    const hidden = order.filter((id) => test(this.notes.get(id)));
    this.#hidden.add(test);
    this.#etag = "";
    this.order = order.filter((id) => !test(this.notes.get(id)));
    this.changed();
    return () => {
      this.#hidden.delete(test);
      if (view !== this.view) return;
      for (const id of hidden) {
        const note = this.notes.get(id);
        if (!note || this.order.includes(id) || !this.#belongs(note, { ...view, q: "" })) continue;
        this.order.splice(this.order.indexOf(order[order.indexOf(id) - 1]) + 1, 0, id); // after the one before it
      }
      this.changed();
    };
  }

  // The ids of the known notes for which `test(note)` is true.
  ids(test) {
    return [...this.notes.values()].filter(test).map((note) => note.id);
  }

  #belongs(note, view) {
    return matches(note, view) && ![...this.#hidden].some((test) => test(note));
  }

  // Tell the other tabs of this browser about an own change, unless the server does: its events go to all of them.
  share(id, action = "changed") {
    if (!live.open) live.share("note", { id, action, by: null });
  }
}

// The queries of the API for pages of the list.
const firstPage = (view) => Object.fromEntries(queryOf(view));
const nextPage = (page) => page.next && { ...nextQuery(page), page_size: NEXT_PAGES };
