// Actions that the user can undo for seven seconds. Until then nothing is sent, so Undo has nothing to reverse.
//
// Each action is in localStorage from its beginning until the server has confirmed it:
//   - if the page is left or closed, it is sent at once by a request that outlives the page; a sign-out waits for it;
//   - without a connection, after a crash, and where the browser ended before that request, the next page of this site
//     sends it (signed-in.js), and so does another tab that is open;
//   - all tabs show it, and each can undo it.
// A browser that is killed loses what it has not yet written to the disk: Chromium writes localStorage within a few seconds.
// Then nothing is deleted or blocked, and the page shows the message as before. A deletion that is sent more than 15 minutes
// after the message, or a block that is a day old, is not done; a notice says so.
import { beforeLeaving } from "../atrium/leaving.js";
import { live } from "../atrium/live.js";
import { NetworkError, atrium, randomKey } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";

export const UNDO_TIME = 7000;
const RETRY = 5000;
const PRECEDENCE = 2000; // milliseconds that the tab of the action has before other tabs send it
const KEY_AGE = 23 * 60 * 60 * 1000; // an Idempotency-Key is valid for a day
const CALLS = {
  delete: (id, key, options) => atrium.delete("/messages/{id}/", { path: { id }, ...options }),
  // Sent twice with one key, it does not block again a person who was unblocked in between.
  block: (usercode, key, options) => atrium.post("/blocks/{usercode}/", { path: { usercode }, idempotencyKey: key, ...options }),
};
const FAILURES = { delete: () => "Not deleted", block: (name) => `${name} is not blocked` };

// An action is { kind, target, name, due, id, state, request }. Its state is "held" while it can be undone, "waiting" while there is
// no connection (it can be undone too), and "sending". The events "changed", "done" and "failed" carry the action.
class UndoableActions extends EventTarget {
  #actions = new Map();
  #timers = new Map();
  #name = `atrium.actions.${document.documentElement.dataset.user}`;

  constructor() {
    super();
    addEventListener("storage", ({ key }) => key === this.#name && this.resume());
    addEventListener("userchange", () => this.discard());
    addEventListener("online", () => this.#sendWaiting());
    beforeLeaving((options) => navigator.onLine && this.#sendAll(options)); // others stay stored
    addEventListener("pageshow", ({ persisted }) => persisted && this.resume());
  }

  get(kind, target) {
    return this.#actions.get(`${kind} ${target}`);
  }

  // Do the action after `time` milliseconds unless it is undone. `name` is the person's, for notices.
  add(kind, target, { name = "", time = UNDO_TIME } = {}) {
    if (this.get(kind, target)) return;
    const action = { kind, target, name, due: Date.now() + time, id: randomKey() };
    this.#store((all) => [...all, action]);
    this.#hold(action, time);
  }

  undo(kind, target) {
    const action = this.get(kind, target);
    if (!action || action.state === "sending") return;
    this.#remove(action);
    this.#emit("changed", action);
  }

  // Wait for the answer to an action that is being sent, whatever it is.
  async settled(kind, target) {
    await this.get(kind, target)?.request?.catch(() => {});
  }

  #sendAll(options) {
    return Promise.all([...this.#actions.values()].filter(({ state }) => state !== "sending").map((action) => this.#send(action, options)));
  }

  // Leave everything to the next visit of this user: another one has signed in.
  discard() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#actions.clear();
  }

  // Take over the stored actions, and drop those that another tab has undone or done.
  resume() {
    const stored = this.#read();
    if (!stored) return;
    for (const action of stored) if (!this.get(action.kind, action.target)) this.#hold(action, action.due + PRECEDENCE - Date.now());
    const keys = new Set(stored.map(key));
    for (const action of this.#actions.values()) {
      if (action.state === "sending" || keys.has(key(action))) continue;
      this.#forget(action);
      this.#emit("changed", action);
    }
  }

  #hold(action, time) {
    const held = { ...action, state: "held" };
    this.#actions.set(key(held), held);
    this.#schedule(held, time);
    this.#emit("changed", held);
  }

  async #send(action, options = {}) {
    clearTimeout(this.#timers.get(action));
    if (action.kind === "block" && Date.now() - action.due > KEY_AGE) return this.#fail(action, new Error("The browser was closed before it was sent."));
    action.state = "sending";
    this.#emit("changed", action);
    action.request = CALLS[action.kind](action.target, action.id, { maxRetries: 0, ...options });
    try {
      await action.request;
    } catch (error) {
      if (this.get(action.kind, action.target) !== action) return;
      const isTemporary = error instanceof NetworkError || error.status >= 500 || [401, 429].includes(error.status);
      if (!isTemporary) return this.#fail(action, error);
      action.state = "waiting";
      if (error.status !== 401) this.#schedule(action, Math.max(RETRY, (error.retryAfter ?? 0) * 1000)); // else the next visit sends it
      this.#emit("changed", action);
      return;
    }
    live.share(...(action.kind === "delete" ? ["deleted", { id: action.target }] : ["blocks", {}])); // for other tabs
    this.#remove(action);
    this.#emit("done", action);
  }

  #fail(action, error) {
    this.#remove(action);
    this.#emit("failed", action);
    toast(`${FAILURES[action.kind](action.name)}: ${error.message}`, "warn");
  }

  #sendWaiting() {
    for (const action of this.#actions.values()) if (action.state === "waiting") this.#send(action);
  }

  #schedule(action, time) {
    this.#timers.set(action, setTimeout(() => this.#send(action), time));
  }

  #remove(action) {
    this.#forget(action);
    this.#store((all) => all.filter((each) => key(each) !== key(action)));
  }

  #forget(action) {
    clearTimeout(this.#timers.get(action));
    this.#timers.delete(action);
    this.#actions.delete(key(action));
  }

  // The stored actions of all tabs, or null without localStorage.
  #read() {
    try {
      return JSON.parse(localStorage.getItem(this.#name) ?? "[]");
    } catch {
      return null;
    }
  }

  // Without localStorage an action is lost with a page that cannot send it.
  #store(change) {
    const all = change(this.#read() ?? []);
    try {
      if (all.length) localStorage.setItem(this.#name, JSON.stringify(all));
      else localStorage.removeItem(this.#name);
    } catch {}
  }

  #emit(type, action) {
    this.dispatchEvent(new CustomEvent(type, { detail: { action } }));
  }
}

function key({ kind, target }) {
  return `${kind} ${target}`;
}

export const actions = new UndoableActions();
