// What was written and is not yet acknowledged. It lies in the browser's storage, so that a reload or a dead battery
// loses nothing, and each carries an Idempotency-Key, so that however often it is sent it becomes one message.
import { api } from "../atrium/api.js";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;

export class Outbox extends EventTarget {
  #name;
  #busy = false;
  #wait = FIRST_WAIT;
  #timer = 0;

  constructor(usercode) {
    super();
    this.#name = `atrium.outbox.${usercode}`;
    this.waiting = this.#read();
    addEventListener("storage", (event) => {
      if (event.key === this.#name) {
        this.waiting = this.#read();
        this.#changed();
      }
    });
    addEventListener("online", () => this.flush());
  }

  // `to` is a list of usercodes, empty for everybody online.
  add(body, to) {
    const entry = { key: newKey(), body, to, written_at: new Date().toISOString(), failed: "" };
    this.waiting.push(entry);
    this.#write();
    this.#changed();
    this.flush();
    return entry;
  }

  // My own message has come by the stream, before the answer or instead of it. What waits is then no longer shown, and
  // is sent once more all the same: that is how to be sure, and the key sees to it that nothing doubles.
  arrived({ body, broadcast, recipients, created_at }) {
    const target = (codes) => [...codes].sort().join();
    const to = broadcast ? "" : target(recipients.map((each) => each.usercode));
    const entry = this.waiting.find((each) => each.tried && !each.arrived && each.body === body && target(each.to) === to);
    if (!entry) return;
    entry.arrived = created_at;
    this.#write();
    this.#changed();
  }

  again(key) {
    const entry = this.waiting.find((each) => each.key === key);
    if (!entry) return;
    // What was refused was answered, so it is a new request; what got no answer is the same one again.
    if (entry.refused) entry.key = newKey();
    entry.failed = entry.refused = "";
    this.#write();
    this.#changed();
    this.flush();
  }

  drop(key) {
    this.waiting = this.waiting.filter((entry) => entry.key !== key);
    this.#write();
    this.#changed();
  }

  // One after the other, so that they arrive in the order in which they were written.
  async flush() {
    clearTimeout(this.#timer);
    if (this.#busy) return;
    this.#busy = true;
    try {
      let entry;
      while ((entry = this.waiting.find((each) => !each.failed))) {
        if (!(await this.#send(entry))) break;
      }
    } finally {
      this.#busy = false;
    }
  }

  async #send(entry) {
    entry.tried = true;
    const target = entry.to.length ? { recipients: entry.to } : { broadcast: true };
    try {
      const { data } = await api("/api/v1/messages/", {
        method: "POST",
        body: { body: entry.body, ...target },
        headers: { "Idempotency-Key": entry.key },
      });
      this.#wait = FIRST_WAIT;
      this.waiting = this.waiting.filter((each) => each.key !== entry.key);
      this.#write();
      this.dispatchEvent(new CustomEvent("sent", { detail: { entry, message: data } }));
      return true;
    } catch (error) {
      if (error.offline || error.status >= 500 || error.status === 429) {
        this.#timer = setTimeout(() => this.flush(), Math.max(this.#wait, error.retryAfter * 1000));
        this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
        this.dispatchEvent(new CustomEvent("delayed", { detail: error }));
        return false;
      }
      if (error.status === 401) {
        // It waits, like the rest, until one is signed in again.
        this.dispatchEvent(new CustomEvent("signed-out"));
        return false;
      }
      const kept = this.waiting.find((each) => each.key === entry.key);
      if (kept) Object.assign(kept, { failed: error.message, refused: true });
      this.#write();
      this.#changed();
      this.dispatchEvent(new CustomEvent("refused", { detail: { entry, error } }));
      if (error.status === 403) this.dispatchEvent(new CustomEvent("signed-out"));
      return true;
    }
  }

  #read() {
    try {
      return JSON.parse(localStorage.getItem(this.#name)) ?? [];
    } catch {
      return []; // no storage in this browser, or somebody else's data in it
    }
  }

  #write() {
    try {
      if (this.waiting.length) localStorage.setItem(this.#name, JSON.stringify(this.waiting));
      else localStorage.removeItem(this.#name);
    } catch {
      // Without storage the outbox lives as long as the page.
    }
  }

  #changed() {
    this.dispatchEvent(new CustomEvent("changed"));
  }
}

// crypto.randomUUID is kept from pages that came by plain http from another machine; random values are not.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
