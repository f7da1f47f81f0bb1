import { NetworkError, retryAfter } from "./errors.js";
import { type Credentials, SessionManager } from "./session.js";
import { backOff, randomKey, sleep } from "./wait.js";

/** Settings of one request. */
export interface RequestOptions {
  signal?: AbortSignal;
  /** How often a failed request is repeated. */
  maxRetries?: number;
  /** Milliseconds until an attempt without an answer is given up; 0 for no limit. */
  timeout?: number;
  /** The key of a POST. Pass one that you have stored to repeat the request after a restart. */
  idempotencyKey?: string;
}

/** Sends one attempt: `fetch`, or a function that reports the progress of an upload. */
export type Send = (url: string, init: RequestInit & { headers: Headers }) => Promise<Response>;

export interface SendOptions extends RequestOptions {
  send?: Send;
  /** Return the answer as soon as its headers are there; its body is not repeated. */
  stream?: boolean;
  /** The body, null for none; by default that of the request, which can only be read asynchronously. */
  body?: string | null;
  /** Whether an attempt without an answer may be repeated; by default that depends on the method and the path. */
  repeatable?: boolean;
  /** False for calls that obtain credentials. "cookie" uses the site's cookie. */
  auth?: false | "cookie";
}

export interface TransportOptions {
  api: string;
  fetch: typeof fetch;
  credentials: Credentials;
  timeout: number;
  maxRetries: number;
  maxRetryDelay: number;
}

interface CachedRead {
  etag: string;
  body: string;
  headers: Headers;
}

const RETRIED = new Set([408, 429, 502, 503, 504]);
const FIRST_DELAY = 250;
const CACHED_READS = 100;
const CACHED_LENGTH = 200_000; // characters of one body

/** Sends requests: credentials, retries, idempotency keys, and a cache of reads with their tags. */
export class Transport {
  readonly session: SessionManager;
  readonly #options: TransportOptions;
  readonly #reads = new Map<string, CachedRead>();

  constructor(options: TransportOptions) {
    this.#options = options;
    this.session = new SessionManager(this, options.credentials, new URL(options.api).origin);
  }

  clearCache(): void {
    this.#reads.clear();
  }

  /** POST JSON to a path below `auth/`, without an access token. */
  postAuth(path: string, body: object, { cookie = false, signal }: { cookie?: boolean; signal?: AbortSignal } = {}) {
    const request = new Request(`${this.#options.api}/auth/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return this.send(request, { auth: cookie ? "cookie" : false, repeatable: true, signal });
  }

  /**
   * Send a request, repeat it if it failed for a reason that passes, and return the last answer, also an error.
   * Throws NetworkError if there was no answer, AuthenticationError if the session has ended, the signal's reason if aborted.
   *
   * With the cookie and a given body, the first attempt is sent before this returns: a page that is being closed does not
   * continue after an `await`.
   */
  async send(request: Request, options: SendOptions = {}): Promise<Response> {
    const { method, url } = request;
    const { signal, maxRetries = this.#options.maxRetries } = options;
    const headers = new Headers(request.headers);
    const body = options.body === undefined ? await readBody(request) : options.body;
    const isAuth = url.startsWith(`${this.#options.api}/auth/`);
    const repeatable = options.repeatable ?? (method !== "POST" || !isAuth);
    if (method === "POST" && !isAuth && !headers.has("Idempotency-Key")) {
      headers.set("Idempotency-Key", options.idempotencyKey ?? randomKey());
    }
    const cached = method === "GET" && !options.stream && !headers.has("If-None-Match") ? this.#reads.get(url) : undefined;
    if (cached) headers.set("If-None-Match", cached.etag);

    let renewed = false;
    let unsure = false; // whether an earlier attempt may have done its work
    for (let attempt = 0; ; ) {
      const isCookieSession = options.auth === undefined && this.session.usesCookie;
      const usesCookie = options.auth === "cookie" || isCookieSession;
      const token = options.auth === undefined && !isCookieSession ? await this.session.token() : null;
      if (token) headers.set("Authorization", `Bearer ${token}`);
      if (usesCookie && method !== "GET") headers.set("X-CSRFToken", cookie("csrftoken"));

      let response: Response | undefined;
      let failure: unknown;
      try {
        response = await this.#attempt(url, options, {
          method, headers, body, credentials: usesCookie ? "same-origin" : "omit", keepalive: request.keepalive,
        });
      } catch (error) {
        signal?.throwIfAborted();
        failure = error;
      }

      if (response?.status === 401 && token && this.session.renewable && !renewed) {
        renewed = true;
        discard(response);
        await this.session.renew(token);
        continue;
      }
      if (response?.status === 401 && isCookieSession) this.session.cookieEnded();
      const wait = this.#wait(response, attempt);
      const sureToRepeat = repeatable || response?.status === 429;
      if (attempt >= maxRetries || wait === null || !sureToRepeat) {
        if (!response) throw new NetworkError(undefined, { cause: failure });
        if (unsure) response = await this.#settle(request, response, body);
        return method === "GET" && !options.stream ? this.#remember(url, response, cached) : response;
      }
      unsure ||= response?.status !== 429;
      if (response) discard(response);
      await sleep(wait, signal);
      attempt++;
    }
  }

  /** Return how many milliseconds to wait before the next attempt; null if there should be none. */
  #wait(response: Response | undefined, attempt: number): number | null {
    const wait = backOff(attempt, FIRST_DELAY, 8000);
    if (!response) return wait;
    if (!RETRIED.has(response.status)) return null;
    const asked = (retryAfter(response) ?? 0) * 1000;
    // Clients that were refused together should not come back together.
    return asked > this.#options.maxRetryDelay ? null : asked ? asked + wait / 2 : wait;
  }

  async #attempt(url: string, options: SendOptions, init: RequestInit & { headers: Headers }): Promise<Response> {
    const { timeout = this.#options.timeout, send = this.#options.fetch, signal } = options;
    const late = new AbortController();
    const giveUp = () => late.abort(new DOMException("The server did not answer in time.", "TimeoutError"));
    const timer = timeout ? setTimeout(giveUp, timeout) : undefined;
    try {
      const response = await send(url, { ...init, signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal });
      // Read JSON within the attempt: a connection that breaks in the middle of an answer is repeated too.
      const whole = !options.stream && response.headers.get("Content-Type")?.includes("json");
      return whole ? copy(response, await response.text()) : response;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Keep a read with its tag, or return the kept one if the answer says that it is unchanged. */
  async #remember(url: string, response: Response, cached: CachedRead | undefined): Promise<Response> {
    if (response.status === 304 && cached) {
      return new Response(cached.body, { status: 200, headers: merge(cached.headers, response.headers) });
    }
    const etag = response.headers.get("ETag");
    this.#reads.delete(url);
    if (response.status !== 200 || !etag || !response.headers.get("Content-Type")?.includes("json")) return response;
    const body = await response.text();
    if (body.length <= CACHED_LENGTH) {
      this.#reads.set(url, { etag, body, headers: response.headers });
      for (const oldest of this.#reads.keys()) {
        if (this.#reads.size <= CACHED_READS) break;
        this.#reads.delete(oldest);
      }
    }
    return copy(response, body);
  }

  /** Return the answer to a write that was repeated because an earlier attempt may have been done already. */
  async #settle(request: Request, response: Response, body: string | ArrayBuffer | null): Promise<Response> {
    if (request.method === "DELETE" && response.status === 404) return new Response(null, { status: 204 });
    if (response.status !== 412 || !body || (request.method !== "PATCH" && request.method !== "PUT")) return response;
    // The earlier attempt may itself have changed the version: then the object has what was sent.
    const current = await this.send(new Request(request.url));
    if (!current.ok) return response;
    const text = await current.text();
    const sent = typeof body === "string" ? body : new TextDecoder().decode(body);
    return includes(JSON.parse(text), JSON.parse(sent)) ? copy(current, text) : response;
  }
}

async function readBody(request: Request): Promise<ArrayBuffer | null> {
  const bytes = request.method === "GET" || request.method === "HEAD" ? null : await request.arrayBuffer();
  return bytes?.byteLength ? bytes : null;
}

/** Give up the rest of an answer. Its connection may be broken already, which is no reason to fail. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

function copy(response: Response, body: string): Response {
  const empty = response.status === 204 || response.status === 304;
  return new Response(empty ? null : body, { status: response.status, headers: response.headers });
}

function merge(old: Headers, changed: Headers): Headers {
  const merged = new Headers(old);
  for (const name of ["ETag", "X-Request-ID"]) if (changed.has(name)) merged.set(name, changed.get(name)!);
  return merged;
}

function includes(stored: unknown, sent: unknown): boolean {
  if (Array.isArray(sent)) {
    return Array.isArray(stored) && stored.length === sent.length && sent.every((each, i) => includes(stored[i], each));
  }
  if (sent && typeof sent === "object") {
    if (!stored || typeof stored !== "object") return false;
    return Object.entries(sent).every(([name, value]) => includes((stored as Record<string, unknown>)[name], value));
  }
  return stored === sent;
}

function cookie(name: string): string {
  const found = (globalThis.document?.cookie ?? "").split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}
