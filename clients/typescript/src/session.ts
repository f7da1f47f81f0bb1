import { AuthenticationError, toError } from "./errors.js";
import { sleep } from "./wait.js";
import type { Transport } from "./transport.js";

/** The signed-in user, as the sign-in returns it. */
export interface SessionUser {
  username: string;
  email: string;
  usercode: string;
}

/** What a signed-in client stores. */
export interface Session {
  access: string;
  /** Missing if the session belongs to the cookie of Atrium's own pages. */
  refresh?: string;
  /** When `access` expires, in milliseconds since 1970 of this device's clock. */
  expiresAt: number;
  user?: SessionUser;
}

/** Where a session is stored: `localStorage`, `sessionStorage`, or an object of yours (a key chain, a file). */
export interface SessionStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

/** How requests are authenticated. */
export type Credentials =
  /** A personal access token (`atr_…`), or a function that returns one. */
  | { token: string | (() => string | Promise<string>) }
  /** The cookie of Atrium's own pages. Only for pages of the same origin. */
  | "cookie"
  /** Access and refresh tokens of a sign-in (the default). */
  | { storage?: SessionStorage };

const EARLY = 10_000; // milliseconds before its expiry at which an access token is renewed
// Milliseconds until all tabs see what one of them has stored. A tab that did not see it would send the spent refresh token,
// which ends the session.
const SETTLE = 500;

/** Adds credentials to requests and renews them. */
export class SessionManager {
  readonly #transport: Transport;
  readonly #credentials: Credentials;
  readonly #storage: SessionStorage;
  readonly #key: string;
  readonly #listeners = new Set<(session: Session | null) => void>();
  #renewing: Promise<string> | undefined;

  constructor(transport: Transport, credentials: Credentials, origin: string) {
    this.#transport = transport;
    this.#credentials = credentials;
    this.#key = `atrium:${origin}`;
    this.#storage = (typeof credentials === "object" && "storage" in credentials && credentials.storage) || memory();
    if (typeof localStorage === "object" && this.#storage === (localStorage as unknown)) {
      // Another tab has signed in or out.
      globalThis.addEventListener?.("storage", (event) => {
        if (event.key === this.#key || event.key === null) void this.get().then((session) => this.#notify(session));
      });
    }
  }

  get usesCookie(): boolean {
    return this.#credentials === "cookie";
  }

  async get(): Promise<Session | null> {
    const text = await this.#storage.getItem(this.#key);
    return text ? (JSON.parse(text) as Session) : null;
  }

  async set(session: Session | null): Promise<void> {
    if (session) await this.#storage.setItem(this.#key, JSON.stringify(session));
    else await this.#storage.removeItem(this.#key);
    this.#notify(session);
  }

  /** Store the session of an answer with tokens. */
  async start(answer: { access: string; refresh?: string; user?: SessionUser }): Promise<Session> {
    const { access, refresh, user } = answer;
    const session: Session = { access, refresh, expiresAt: Date.now() + lifetime(access), user };
    await this.set(session);
    return session;
  }

  onChange(listener: (session: Session | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Notify that the server no longer accepts the site's cookie. */
  cookieEnded(): void {
    this.#notify(null);
  }

  /** Return the bearer token to send, renewed if it is about to expire; null if there is none. */
  async token(): Promise<string | null> {
    if (this.#credentials === "cookie") return null;
    if ("token" in this.#credentials) {
      const { token } = this.#credentials;
      return typeof token === "function" ? token() : token;
    }
    const session = await this.get();
    if (!session) return null;
    return session.expiresAt - EARLY < Date.now() ? this.renew(session.access) : session.access;
  }

  /** Whether a refused access token can be replaced. */
  get renewable(): boolean {
    return typeof this.#credentials === "object" && !("token" in this.#credentials);
  }

  /**
   * Replace the access token `used` and return the new one. Calls at the same time, also in other tabs, share one renewal.
   * Throws AuthenticationError if the session has ended.
   */
  renew(used: string): Promise<string> {
    this.#renewing ??= this.#locked(() => this.#renew(used)).finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /** Run one action at a time in all tabs. If it has stored something, the lock is released `SETTLE` later. */
  #locked<T>(action: () => Promise<T>): Promise<T> {
    const locks = (globalThis.navigator as Navigator | undefined)?.locks;
    if (!locks) return action();
    return new Promise<T>((resolve, reject) => {
      const held = async () => {
        const before = await this.#storage.getItem(this.#key);
        await action().then(resolve, reject); // the caller does not wait for the others
        if ((await this.#storage.getItem(this.#key)) !== before) await sleep(SETTLE);
      };
      locks.request(this.#key, held).catch(reject);
    });
  }

  async #renew(used: string): Promise<string> {
    const session = await this.get();
    if (!session) throw signedOut();
    if (session.access !== used) return session.access; // another tab or process has renewed it
    const response = session.refresh
      ? await this.#transport.postAuth("token/refresh/", { refresh: session.refresh })
      : await this.#transport.postAuth("token/from-session/", {}, { cookie: true });
    const text = await response.text();
    const current = await this.get();
    if (!current) throw signedOut();
    if (current.access !== used) return current.access; // somebody has signed in meanwhile
    if (!response.ok) {
      const error = toError(response, text);
      if (response.status === 401 || response.status === 403) {
        // Without Web Locks another tab may have been faster: it stores its tokens within moments.
        if (session.refresh && (await this.#replacedBy(used))) return this.token() as Promise<string>;
        await this.set(null);
      }
      throw error;
    }
    const renewed = await this.start({ user: session.user, ...(JSON.parse(text) as Session) });
    return renewed.access;
  }

  async #replacedBy(used: string): Promise<boolean> {
    if ((globalThis.navigator as Navigator | undefined)?.locks) return false;
    await sleep(200);
    const session = await this.get();
    return Boolean(session && session.access !== used);
  }

  #notify(session: Session | null): void {
    for (const listener of this.#listeners) listener(session);
  }
}

function signedOut(): AuthenticationError {
  const errors = [{ code: "not_authenticated", detail: "You are signed out.", attr: null }];
  return new AuthenticationError(new Response(null, { status: 401 }), errors);
}

function memory(): SessionStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}

/** Return for how many milliseconds an access token is valid, from its own two times: this device's clock may be wrong. */
function lifetime(token: string): number {
  try {
    const part = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const { exp, iat } = JSON.parse(atob(part)) as { exp: number; iat: number };
    return (exp - iat) * 1000 || 60_000;
  } catch {
    return 60_000;
  }
}
