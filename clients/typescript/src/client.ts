import createFetchClient, { type Client } from "openapi-fetch";
import { toError } from "./errors.js";
import { EventStream, type EventsOptions } from "./events.js";
import { Paginator } from "./pages.js";
import { getPasskey, type PasskeyCredential, type PasskeyPrompt } from "./passkeys.js";
import type { paths } from "./schema.js";
import type { Credentials, Session, SessionUser } from "./session.js";
import { type RequestOptions, type SendOptions, Transport } from "./transport.js";
import type { Arguments, Item, ListPath, Method, Operation, Page, PathsWith, Result } from "./types.js";
import { hasFile, toForm, toMultipart, uploader, type UploadProgress } from "./uploads.js";

export interface ClientOptions {
  /** The address of the site, such as `https://atrium.example.org`. On a page, its own origin is the default. */
  url?: string;
  /** How requests are authenticated; by default with the tokens of `signIn()`, stored in memory. */
  credentials?: Credentials;
  /** How often a failed request is repeated (default 6). */
  maxRetries?: number;
  /** The longest `Retry-After` to wait for, in milliseconds (default 30,000). After a longer one the call fails at once. */
  maxRetryDelay?: number;
  /** Milliseconds until an attempt without an answer is given up (default 30,000); 0 for no limit. */
  timeout?: number;
  fetch?: typeof fetch;
}

/** Options of a call, next to its `path`, `query` and `body`. */
export interface CallOptions extends RequestOptions {
  /** Write only if nobody has changed the object since: an object that this client has returned, or an `ETag`. */
  ifMatch?: object | string;
  /** Send the request also if the page is closed meanwhile; its body may have 64 kB. */
  keepalive?: boolean;
  headers?: Record<string, string>;
}

export interface UploadOptions extends CallOptions {
  onProgress?: (progress: UploadProgress) => void;
}

type UploadPath = {
  [P in PathsWith<"post">]: Operation<P, "post"> extends { requestBody: { content: { "multipart/form-data": unknown } } } ? P : never;
}[PathsWith<"post">];

/** The result of a sign-in: done, or a second factor is required. */
export type SignInResult = { mfaRequired: false; user: SessionUser } | MfaChallenge;

/** A sign-in that needs a second factor. It expires after five minutes. */
export interface MfaChallenge {
  mfaRequired: true;
  /** What the user has set up. */
  methods: ("totp" | "passkey" | "recovery_code")[];
  /** When the challenge expires, in milliseconds since 1970. */
  expiresAt: number;
  /** Finish with a code of the authenticator app, or a recovery code. Throws ValidationError if it is wrong. */
  submitCode(code: string): Promise<SessionUser>;
  /** Finish with a passkey of this device. */
  submitPasskey(prompt?: PasskeyPrompt): Promise<SessionUser>;
}

interface Ticket {
  mfa_required: true;
  ticket: string;
  methods: MfaChallenge["methods"];
  passkey_options: unknown;
  expires_in: number;
}

interface SignedIn {
  mfa_required?: false;
  access: string;
  refresh: string;
  user: SessionUser;
}

/** A client of the Atrium API. Calls return the data of the answer and throw an `AtriumError`. */
export class AtriumClient {
  /** The same API in openapi-fetch's form, which returns `{ data, error, response }` and throws no ApiError. */
  readonly api: Client<paths>;
  readonly #url: string;
  readonly #transport: Transport;
  readonly #fetch: typeof fetch;
  readonly #tags = new WeakMap<object, string>();

  constructor(options: ClientOptions = {}) {
    const origin = options.url ?? globalThis.location?.origin;
    if (!origin) throw new TypeError("Pass the address of the site as `url`.");
    this.#url = `${origin.replace(/\/+$/, "")}/api/v1`;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#transport = new Transport({
      api: this.#url,
      fetch: this.#fetch,
      credentials: options.credentials ?? {},
      timeout: options.timeout ?? 30_000,
      maxRetries: options.maxRetries ?? 6,
      maxRetryDelay: options.maxRetryDelay ?? 30_000,
    });
    this.api = createFetchClient<paths>({
      baseUrl: this.#url,
      fetch: (request: Request) => this.#transport.send(request, { signal: request.signal }),
      bodySerializer: serialize,
    });
  }

  // --- Calls ---------------------------------------------------------------------------------------------------------

  get<P extends PathsWith<"get">>(path: P, ...[init]: Arguments<Operation<P, "get">, CallOptions>) {
    return this.#call<Operation<P, "get">>("get", path, init);
  }

  post<P extends PathsWith<"post">>(path: P, ...[init]: Arguments<Operation<P, "post">, CallOptions>) {
    return this.#call<Operation<P, "post">>("post", path, init);
  }

  put<P extends PathsWith<"put">>(path: P, ...[init]: Arguments<Operation<P, "put">, CallOptions>) {
    return this.#call<Operation<P, "put">>("put", path, init);
  }

  patch<P extends PathsWith<"patch">>(path: P, ...[init]: Arguments<Operation<P, "patch">, CallOptions>) {
    return this.#call<Operation<P, "patch">>("patch", path, init);
  }

  delete<P extends PathsWith<"delete">>(path: P, ...[init]: Arguments<Operation<P, "delete">, CallOptions>) {
    return this.#call<Operation<P, "delete">>("delete", path, init);
  }

  /** Read a list page by page: `for await (const note of client.list("/notes/"))`. */
  list<P extends ListPath>(
    path: P, ...[init]: Arguments<Operation<P, "get">, CallOptions>
  ): Paginator<Item<P>, Page<P> & { results: Item<P>[] }> {
    return new Paginator((next) => {
      const query = { ...(init as Init | undefined)?.query, ...next };
      return this.#call("get", path, { ...init, query }) as Promise<Page<P> & { results: Item<P>[] }>;
    });
  }

  /** The `ETag` of an object or page that this client has returned. */
  etag(object: object): string | undefined {
    return this.#tags.get(object);
  }

  /** Upload files and report the progress, by default without a time limit. */
  upload<P extends UploadPath>(path: P, ...[init]: Arguments<Operation<P, "post">, UploadOptions>) {
    const { onProgress, body, ...rest } = init as Init & UploadOptions;
    const content = toMultipart(toForm(body as object));
    return this.#call<Operation<P, "post">>(
      "post",
      path,
      // The request itself has no body: each attempt sends the content again.
      { timeout: 0, ...rest, headers: { ...rest.headers, "Content-Type": content.type } },
      { send: uploader(content, onProgress, this.#fetch) },
    );
  }

  /**
   * Send a request to any address of the API, with credentials and retries, and return the response, also an error.
   * A path is below `/api/v1`: `client.fetch("/contacts/export.csv")`.
   */
  fetch(path: `/${string}`, init: RequestInit & Omit<RequestOptions, "signal"> = {}): Promise<Response> {
    const { maxRetries, timeout, idempotencyKey, ...rest } = init;
    const signal = init.signal ?? undefined;
    const options = { maxRetries, timeout, idempotencyKey, signal, stream: true };
    return this.#transport.send(new Request(this.#url + path, rest), options);
  }

  /** Receive live events: `for await (const event of client.events())`. */
  events(options: EventsOptions = {}): EventStream {
    return new EventStream(this.#transport, `${this.#url}/events/`, options);
  }

  // --- Sign-in -------------------------------------------------------------------------------------------------------

  /** Sign in with a password. The result says whether a second factor is required. */
  async signIn(body: { username: string; password: string } | { email: string; password: string }): Promise<SignInResult> {
    const answer = await this.#auth<SignedIn | Ticket>("login/", body);
    if (!answer.mfa_required) return { mfaRequired: false, user: await this.#start(answer) };
    const { ticket, methods, passkey_options: options, expires_in: seconds } = answer;
    const finish = async (factor: object) => this.#start(await this.#auth<SignedIn>("login/mfa/", { ticket, ...factor }));
    return {
      mfaRequired: true,
      methods,
      expiresAt: Date.now() + seconds * 1000,
      submitCode: (code) => finish({ code }),
      submitPasskey: async (prompt) => finish({ credential: await getPasskey(options, prompt) }),
    };
  }

  /** Sign in with a passkey and no password. `get` replaces the browser's dialog. */
  async signInWithPasskey(
    prompt: PasskeyPrompt & { get?: (options: unknown) => Promise<PasskeyCredential> } = {},
  ): Promise<SessionUser> {
    const { get, ...rest } = prompt;
    const { ticket, options } = await this.#auth<{ ticket: string; options: unknown }>("login/passkey/options/", {});
    const credential = await (get ? get(options) : getPasskey(options, rest));
    return this.#start(await this.#auth<SignedIn>("login/passkey/", { ticket, credential }));
  }

  /** Get an access token for the cookie of Atrium's own pages. It is renewed in the same way and ends with the cookie. */
  async signInWithCookie(): Promise<void> {
    await this.#transport.session.start(await this.#auth<{ access: string }>("token/from-session/", {}, true));
  }

  /** Sign out this session, or all sessions of the user. The stored tokens are removed also if the server is away. */
  async signOut({ everywhere = false }: { everywhere?: boolean } = {}): Promise<void> {
    const session = await this.#transport.session.get();
    try {
      if (everywhere) await this.post("/auth/logout-all/");
      else if (session?.refresh) await this.#auth("logout/", { refresh: session.refresh });
    } finally {
      this.#transport.clearCache();
      await this.#transport.session.set(null);
    }
  }

  /** The stored session, or null if nobody is signed in. */
  session(): Promise<Session | null> {
    return this.#transport.session.get();
  }

  /**
   * Call `listener` after each sign-in, renewal and sign-out, also of other tabs, and with null after each call that the
   * server refused because the site's cookie has ended. Returns how to stop it.
   */
  onSessionChange(listener: (session: Session | null) => void): () => void {
    return this.#transport.session.onChange(listener);
  }

  // --- Internal ------------------------------------------------------------------------------------------------------

  async #start(answer: SignedIn): Promise<SessionUser> {
    this.#transport.clearCache();
    await this.#transport.session.start(answer);
    return answer.user;
  }

  async #auth<T>(path: string, body: object, cookie = false): Promise<T> {
    const response = await this.#transport.postAuth(path, body, { cookie });
    const text = await response.text();
    if (!response.ok) throw toError(response, text);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  async #call<O>(method: Method, path: string, init: Init = {}, sending: SendOptions = {}): Promise<Result<O>> {
    const { path: names, query, body, headers, ifMatch, keepalive, ...options } = init;
    const content = body === undefined ? null : serialize(body);
    const known = content instanceof FormData ? undefined : content;
    const request = {
      params: { path: names, query },
      body: content ?? undefined,
      bodySerializer: (serialized: unknown) => serialized,
      keepalive,
      headers: ifMatch === undefined ? headers : { ...headers, "If-Match": this.#tag(ifMatch) },
      parseAs: "stream",
      fetch: (prepared: Request) => this.#transport.send(prepared, { ...options, ...sending, body: known }),
    };
    const { response, error } = await (this.api.request as unknown as UntypedRequest)(method, path, request);
    if (!response.ok) throw toError(response, typeof error === "string" ? error : JSON.stringify(error ?? null));
    if (response.status === 204) return undefined as unknown as Result<O>;
    if (!response.headers.get("Content-Type")?.includes("json")) return (await response.blob()) as Result<O>;
    const text = await response.text();
    const data = (text ? JSON.parse(text) : undefined) as Result<O>;
    const tag = response.headers.get("ETag");
    if (tag && data && typeof data === "object") this.#tags.set(data, tag);
    return data;
  }

  #tag(object: object | string): string {
    const tag = typeof object === "string" ? object : this.etag(object);
    if (!tag) throw new TypeError("`ifMatch` needs an object that get(), post(), put() or patch() of this client has returned.");
    return tag;
  }
}

type Init = CallOptions & { path?: unknown; query?: object; body?: unknown };

type UntypedRequest = (method: Method, path: string, init: object) => Promise<{ response: Response; error?: unknown }>;

function serialize(body: unknown): string | FormData {
  if (body instanceof FormData) return body;
  return hasFile(body) ? toForm(body as object) : JSON.stringify(body);
}

/** Create a client of the Atrium API. */
export function createClient(options?: ClientOptions): AtriumClient {
  return new AtriumClient(options);
}
