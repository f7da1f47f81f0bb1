// How this site's own pages get data. `clients/typescript/README.md` describes the client.
import { NetworkError, createClient, nextQuery, randomKey, toError } from "./client.js";

export { NetworkError, nextQuery, randomKey };

// The typed client: it sends the session cookie. A person sees an error sooner than a program gives up.
export const atrium = createClient({ credentials: "cookie", maxRetries: 2, maxRetryDelay: 2000 });

// Return the JSON of a response, or throw its error.
export async function readJson(response) {
  if (!response.ok) throw toError(response, await response.text());
  return response.json();
}

// Get JSON that only these pages need, outside the API, with the same errors.
export async function getPageData(path, { signal } = {}) {
  const response = await fetch(path, { signal }).catch((error) => {
    throw signal?.aborted ? error : new NetworkError(undefined, { cause: error });
  });
  return readJson(response);
}

// Loads what can change while it is loaded, so that an old answer never replaces something newer: one request at a time, and
// one more after it if somebody asked meanwhile.
export class Loader {
  #running = null;
  #asked = false;
  #changed = false;

  // `load()` returns a promise of the data, and `use(data)` shows it.
  constructor(load, use) {
    Object.assign(this, { load, use });
  }

  // The promise ends when data that was requested after this call is shown.
  run() {
    this.#asked = true;
    this.#running ??= this.#loop();
    return this.#running;
  }

  // This page has changed the data: an answer that is still under way does not know it.
  changed() {
    this.#changed = this.#asked = true;
  }

  get isRunning() {
    return Boolean(this.#running);
  }

  async #loop() {
    try {
      while (this.#asked) {
        this.#asked = this.#changed = false;
        try {
          const data = await this.load();
          if (!this.#changed) this.use(data);
        } catch (error) {
          if (!this.#asked) throw error;
        }
      }
    } finally {
      this.#running = null;
    }
  }
}
