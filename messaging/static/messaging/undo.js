// Actions that the user can undo for seven seconds. Until then they wait in this page, so Undo has nothing to reverse.
// Without a connection they wait longer and are sent later. When the page is left, they are sent at once, or saved for
// the next visit if there is no connection.
import { api } from "../atrium/api.js";

export const UNDO_TIME = 7000;
const RETRY = 5000;
const CALLS = {
  delete: (id) => ({ method: "DELETE", path: `/api/v1/messages/${id}/` }),
  block: (code) => ({ method: "POST", path: `/api/v1/blocks/${code}/` }),
};

// An action is { kind, target, state }. Its state is "held" while it can be undone, "waiting" while there is no
// connection (it can be undone too), and "sending". The events "changed", "done" and "failed" carry the action.
export class UndoableActions extends EventTarget {
  #actions = new Map();
  #timers = new Map();
  #name;

  constructor(usercode) {
    super();
    this.#name = `atrium.actions.${usercode}`;
    addEventListener("online", () => this.#sendWaiting());
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", ({ persisted }) => persisted && this.#takeSaved()); // this page has them still
  }

  get(kind, target) {
    return this.#actions.get(`${kind} ${target}`);
  }

  // Do the action after `time` milliseconds unless it is undone.
  add(kind, target, time = UNDO_TIME) {
    if (this.get(kind, target)) return;
    const action = { kind, target, state: "held" };
    this.#actions.set(key(action), action);
    this.#schedule(action, time);
    this.#emit("changed", action);
  }

  undo(kind, target) {
    const action = this.get(kind, target);
    if (!action || action.state === "sending") return;
    this.#remove(action);
    this.#emit("changed", action);
  }

  // Send everything now, such as before the session ends.
  sendAll(options) {
    for (const action of this.#actions.values()) if (action.state !== "sending") this.#send(action, options);
  }

  // Forget everything: another user has signed in.
  discard() {
    for (const action of this.#actions.values()) this.#remove(action);
  }

  // Continue with the actions that were saved when the page was left without a connection.
  resume() {
    for (const { kind, target } of this.#takeSaved()) this.add(kind, target, 0);
  }

  async #send(action, options = {}) {
    clearTimeout(this.#timers.get(action));
    action.state = "sending";
    this.#emit("changed", action);
    const { method, path } = CALLS[action.kind](action.target);
    try {
      await api(path, { method, ...options });
    } catch (error) {
      if (!this.#actions.has(key(action))) return;
      if (!error.offline && error.status < 500 && error.status !== 429) {
        this.#remove(action);
        this.#emit("failed", action, error);
        return;
      }
      action.state = "waiting";
      this.#schedule(action, Math.max(RETRY, error.retryAfter * 1000));
      this.#emit("changed", action);
      return;
    }
    this.#remove(action);
    this.#emit("done", action);
  }

  #sendWaiting() {
    for (const action of this.#actions.values()) if (action.state === "waiting") this.#send(action);
  }

  #schedule(action, time) {
    this.#timers.set(action, setTimeout(() => this.#send(action), time));
  }

  #remove(action) {
    clearTimeout(this.#timers.get(action));
    this.#timers.delete(action);
    this.#actions.delete(key(action));
  }

  #leave() {
    if (navigator.onLine && ![...this.#actions.values()].some(({ state }) => state === "waiting")) {
      this.sendAll({ keepalive: true }); // such a request outlives the page
      return;
    }
    const rest = [...this.#actions.values()].map(({ kind, target }) => ({ kind, target }));
    try {
      if (rest.length) localStorage.setItem(this.#name, JSON.stringify(rest));
    } catch {
      // Without localStorage nothing is deleted or blocked, and the page shows it again.
    }
  }

  #takeSaved() {
    try {
      const saved = JSON.parse(localStorage.getItem(this.#name)) ?? [];
      localStorage.removeItem(this.#name);
      return saved;
    } catch {
      return []; // localStorage is not available, or contains something else
    }
  }

  #emit(type, action, error) {
    this.dispatchEvent(new CustomEvent(type, { detail: { action, error } }));
  }
}

function key({ kind, target }) {
  return `${kind} ${target}`;
}
