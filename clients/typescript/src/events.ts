import { ApiError, NetworkError, toError } from "./errors.js";
import type { Transport } from "./transport.js";
import type { Schemas } from "./types.js";
import { backOff, sleep } from "./wait.js";

interface Kinds {
  /**
   * Load your data now: events before this one may be missing. `start` is the first event of a stream that does not resume,
   * `gap` means that the server no longer has the events since the last one.
   */
  resync: { reason: "start" | "gap" };
  /** A message was sent to or by the user. */
  message: Schemas["Message"];
  /** A message was edited. */
  edited: Schemas["Message"];
  /** A message was deleted: remove its text. */
  deleted: { id: number };
  /** Messages from `from` to `up_to` were read. `unread` is only sent to the reader. */
  read: { reader: Schemas["Person"]; from: number; up_to: number; unread?: number };
  /** Users came online or went offline. With `refresh` there were too many changes: fetch `/presence/`. */
  presence: { online: Schemas["OnlineUser"][]; offline: string[]; refresh?: boolean };
  /** A note was changed, shared, revoked or deleted. `by` is a usercode, or null for the system. */
  note: { id: number; action: string; by: string | null };
  /** The status or the counts of an upload changed. */
  upload: Schemas["Upload"];
}

/** A live event. `switch (event.type)` narrows the type of `event.data`. */
export type LiveEvent = { [K in keyof Kinds]: { type: K; id: string; data: Kinds[K] } }[keyof Kinds];

/**
 * `connecting`; `open`: events arrive at once; `polling`: events arrive by long polls, because streams do not get through;
 * `waiting`: the connection is lost, and the next attempt follows; `closed`.
 */
export type StreamState = "connecting" | "open" | "polling" | "waiting" | "closed";

export interface EventsOptions {
  /** Continue after this event, without loss or repeat. */
  lastEventId?: string;
  /** Ends the iteration. */
  signal?: AbortSignal;
  onStateChange?: (state: StreamState) => void;
  /** "auto" (the default) uses long polls while streams do not get through, such as behind a proxy that buffers. */
  mode?: "auto" | "stream" | "poll";
}

const OPEN_TIMEOUT = 10_000; // milliseconds until the first event, which the server sends at once
const SILENCE = 40_000; // milliseconds without a byte; the server sends a comment every 15 s
const POLL_SECONDS = 25;
const POLL_PERIOD = 300_000; // milliseconds after which a stream is tried again
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/** The live events of the signed-in user, as an async iterable. It reconnects by itself; iterate over it once. */
export class EventStream implements AsyncIterable<LiveEvent> {
  readonly #transport: Transport;
  readonly #url: string;
  readonly #options: EventsOptions;
  readonly #closing = new AbortController();
  #state: StreamState = "connecting";
  #last: string;

  constructor(transport: Transport, url: string, options: EventsOptions) {
    this.#transport = transport;
    this.#url = url;
    this.#options = options;
    this.#last = options.lastEventId ?? "";
    if (options.signal?.aborted) this.close();
    options.signal?.addEventListener("abort", () => this.close(), { once: true });
  }

  get state(): StreamState {
    return this.#state;
  }

  /** The id of the event that was returned last. Store it to continue in another `events({ lastEventId })`. */
  get lastEventId(): string {
    return this.#last;
  }

  /** End the iteration. */
  close(): void {
    this.#closing.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LiveEvent, void, undefined> {
    const { mode = "auto" } = this.#options;
    let failures = 0; // attempts in a row that did not reach the server's events
    let pollUntil = 0;
    try {
      while (!this.#closing.signal.aborted) {
        const blocked = failures >= 2 && failures % 2 === 0;
        const poll = mode === "poll" || (mode === "auto" && (blocked || Date.now() < pollUntil));
        const attempt = new AbortController();
        let wait = 0;
        if (this.#state !== "polling") this.#setState("connecting");
        try {
          for await (const event of poll ? this.#poll(attempt) : this.#stream(attempt)) {
            if (event.id) this.#last = event.id;
            yield event;
          }
          failures = 0;
          if (poll && !pollUntil) pollUntil = Date.now() + POLL_PERIOD;
          if (poll) continue;
        } catch (error) {
          if (this.#closing.signal.aborted) break;
          if (isFinal(error)) throw error;
          if (error instanceof ApiError) wait = (error.retryAfter ?? 0) * 1000;
          failures = this.#state === "open" ? 0 : failures + 1;
          if (poll) pollUntil = 0;
        } finally {
          attempt.abort();
        }
        this.#setState("waiting");
        await this.#pause(Math.max(wait, backOff(failures, FIRST_WAIT, LONGEST_WAIT)));
      }
    } finally {
      this.close();
      this.#setState("closed");
    }
  }

  #setState(state: StreamState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onStateChange?.(state);
  }

  /** Wait, but not longer than until the device is online again or the page is shown again. */
  async #pause(milliseconds: number): Promise<void> {
    const wake = new AbortController();
    const resume = () => globalThis.document?.visibilityState !== "hidden" && wake.abort();
    globalThis.addEventListener?.("online", resume);
    globalThis.document?.addEventListener("visibilitychange", resume);
    await sleep(milliseconds, AbortSignal.any([wake.signal, this.#closing.signal])).catch(() => undefined);
    globalThis.removeEventListener?.("online", resume);
    globalThis.document?.removeEventListener("visibilitychange", resume);
  }

  async #request(query: string, timeout: number, attempt: AbortController, stream: boolean): Promise<Response> {
    const headers: Record<string, string> = stream ? { Accept: "text/event-stream, application/json" } : {};
    if (this.#last) headers["Last-Event-ID"] = this.#last;
    const response = await this.#transport.send(new Request(this.#url + query, { headers, cache: "no-store" }), {
      signal: AbortSignal.any([attempt.signal, this.#closing.signal]), maxRetries: 0, timeout, stream: true,
    });
    if (!response.ok) throw toError(response, await response.text());
    return response;
  }

  /** Yield the events of one connection until it ends. */
  async *#stream(attempt: AbortController): AsyncGenerator<LiveEvent, void, undefined> {
    const resumes = this.#last !== "";
    const response = await this.#request("", OPEN_TIMEOUT, attempt, true);
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    const parser = new EventParser();
    const giveUp = () => attempt.abort(new NetworkError("The event stream is silent."));
    for (;;) {
      const timer = setTimeout(giveUp, this.#state === "open" ? SILENCE : OPEN_TIMEOUT);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) {
        if (this.#state !== "open") throw new NetworkError("The event stream ended before its first event.");
        return;
      }
      for (const event of parser.push(decoder.decode(value, { stream: true }))) {
        this.#setState("open");
        if (event.type !== "ready") yield toEvent(event);
        else if (!resumes) yield { type: "resync", id: event.id, data: { reason: "start" } };
        else if (event.id) this.#last = event.id;
      }
    }
  }

  /** Yield the events of one long poll. */
  async *#poll(attempt: AbortController): AsyncGenerator<LiveEvent, void, undefined> {
    // Without a position the server would wait for an event before it returns one.
    const wait = this.#last ? POLL_SECONDS : 0;
    const response = await this.#request(`?wait=${wait}`, (wait + 15) * 1000, attempt, false);
    const answer = (await response.json()) as { events: ServerEvent[]; last_event_id: string };
    this.#setState("polling");
    if (!this.#last) return void (yield { type: "resync", id: answer.last_event_id, data: { reason: "start" } });
    for (const event of answer.events) yield toEvent(event);
    this.#last = answer.last_event_id;
  }
}

interface ServerEvent {
  id: string;
  type: string;
  data: unknown;
}

function toEvent({ id, type, data }: ServerEvent): LiveEvent {
  return { id, type, data: type === "resync" ? { reason: "gap" } : data } as LiveEvent;
}

/** Whether an error will not pass by itself, such as the end of the session. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.status < 500 && error.status !== 408 && error.status !== 429 && error.code !== "invalid_ticket";
}

/** Parses a stream of server-sent events (WHATWG HTML, section 9.2). */
export class EventParser {
  #rest = "";
  #id = "";
  #type = "";
  #data: string[] = [];

  /** Return the events that `text` completes. */
  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    // A CR at the end may be the first half of CRLF.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (line === "") {
        if (this.#data.length) events.push({ id: this.#id, type: this.#type || "message", data: JSON.parse(this.#data.join("\n")) });
        this.#type = "";
        this.#data = [];
      } else if (name === "id") this.#id = value;
      else if (name === "event") this.#type = value;
      else if (name === "data") this.#data.push(value);
    }
    return events;
  }
}
