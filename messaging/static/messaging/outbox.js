// Messages that the server has not acknowledged yet. They are in localStorage, so a reload or a crash loses none. Each has
// an Idempotency-Key, so sending it several times creates one message.
import { NetworkError, atrium, randomKey } from "../atrium/site.js";

const FIRST_DELAY = 1000;
const MAX_DELAY = 30000;

export class Outbox extends EventTarget {
  #name;
  #busy = false;
  #delay = FIRST_DELAY;
  #timer = 0;

  constructor(usercode) {
    super();
    this.#name = `atrium.outbox.${usercode}`;
    this.entries = this.#read();
    addEventListener("storage", (event) => {
      if (event.key === this.#name) {
        this.entries = this.#read();
        this.#changed();
      }
    });
    addEventListener("online", () => this.flush());
  }

  // `to` is a list of usercodes; an empty list means everybody online.
  add(body, to) {
    const entry = { key: randomKey(), body, to, written_at: new Date().toISOString(), failed: "" };
    this.entries.push(entry);
    this.#write();
    this.#changed();
    this.flush();
    return entry;
  }

  // My own message came by the stream, before the response or instead of it. The entry is hidden but sent again: only
  // the response confirms it, and the key prevents a second message.
  arrived({ body, broadcast, recipients, created_at }) {
    const target = (codes) => [...codes].sort().join();
    const to = broadcast ? "" : target(recipients.map((each) => each.usercode));
    const entry = this.entries.find((each) => each.tried && !each.arrived && each.body === body && target(each.to) === to);
    if (!entry) return;
    entry.arrived = created_at;
    this.#write();
    this.#changed();
  }

  retry(key) {
    const entry = this.entries.find((each) => each.key === key);
    if (!entry) return;
    // A rejected message becomes a new request with a new key. One without a response keeps its key.
    if (entry.rejected) entry.key = randomKey();
    entry.failed = entry.rejected = "";
    this.#write();
    this.#changed();
    this.flush();
  }

  discard(key) {
    this.entries = this.entries.filter((entry) => entry.key !== key);
    this.#write();
    this.#changed();
  }

  // Send one after the other, so that messages arrive in the order in which they were written.
  async flush() {
    clearTimeout(this.#timer);
    if (this.#busy) return;
    this.#busy = true;
    try {
      let entry;
      while ((entry = this.entries.find((each) => !each.failed))) {
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
      const message = await atrium.post("/messages/", {
        body: { body: entry.body, ...target },
        idempotencyKey: entry.key,
        maxRetries: 0,
      });
      this.#delay = FIRST_DELAY;
      this.entries = this.entries.filter((each) => each.key !== entry.key);
      this.#write();
      this.dispatchEvent(new CustomEvent("sent", { detail: { entry, message } }));
      return true;
    } catch (error) {
      if (error instanceof NetworkError || error.status >= 500 || error.status === 429) {
        this.#timer = setTimeout(() => this.flush(), Math.max(this.#delay, (error.retryAfter ?? 0) * 1000));
        this.#delay = Math.min(this.#delay * 2, MAX_DELAY);
        this.dispatchEvent(new CustomEvent("delayed", { detail: error }));
        return false;
      }
      if (error.status === 401) {
        // The messages stay in the outbox until the user has signed in again.
        this.dispatchEvent(new CustomEvent("signed-out"));
        return false;
      }
      const kept = this.entries.find((each) => each.key === entry.key);
      if (kept) Object.assign(kept, { failed: error.message, rejected: true });
      this.#write();
      this.#changed();
      this.dispatchEvent(new CustomEvent("rejected", { detail: { entry, error } }));
      if (error.status === 403) this.dispatchEvent(new CustomEvent("signed-out"));
      return true;
    }
  }

  #read() {
    try {
      return JSON.parse(localStorage.getItem(this.#name)) ?? [];
    } catch {
      return []; // localStorage is not available, or contains something else
    }
  }

  #write() {
    try {
      if (this.entries.length) localStorage.setItem(this.#name, JSON.stringify(this.entries));
      else localStorage.removeItem(this.#name);
    } catch {
      // Without localStorage the outbox is lost with the page.
    }
  }

  #changed() {
    this.dispatchEvent(new CustomEvent("changed"));
  }
}
