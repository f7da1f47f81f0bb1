// Live events, from one stream for all tabs of this browser. The events are those of `GET /api/v1/events/`.
//
//   live.addEventListener("note", ({ detail }) => …);     kinds: message, edited, deleted, read, presence, note, upload
//   live.addEventListener("resync", () => …);             events may be missing: load again (also when the stream starts)
//   live.addEventListener("open", () => …);               events arrive from now on; "retrying": they do not
//   live.open                                             whether events arrive now
//   live.share("unread", { total: 3 });                   send an event of the pages to the other tabs
//
// The shell starts it on every page of a signed-in user. The tab that holds a Web Lock opens the stream and sends each
// event to the other tabs through a BroadcastChannel. When that tab closes, the next one continues after the last event.
// Where Web Locks are missing (plain http, unless on localhost), every tab opens its own stream.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15000;
const OPEN_TIMEOUT = 15000;
const SLEEP_CHECK = 10000; // interval of the check whether the computer was asleep
const KINDS = ["ready", "resync", "message", "edited", "deleted", "read", "presence", "note", "upload"];

const { user, live: isConfigured } = document.documentElement.dataset;
const name = `atrium.live.${user}`;
const sharesStream = Boolean(navigator.locks);

class Live extends EventTarget {
  open = false;
  leads = false; // whether this tab holds the stream
  #started = false;
  #channel = null;
  #left = null; // aborts the wait for the lock when the page is left
  #release = null;
  #source = null;
  #last = "";
  #wait = FIRST_WAIT;
  #timer = 0;
  #openTimer = 0;

  constructor() {
    super();
    addEventListener("pagehide", () => this.#stop());
    addEventListener("pageshow", ({ persisted }) => persisted && this.start());
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.leads && this.#closed());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.retry());
    // After the computer was asleep the connection may be dead although no error was reported.
    let awake = Date.now();
    setInterval(() => {
      if (this.leads && Date.now() - awake > 4 * SLEEP_CHECK) this.#closed();
      awake = Date.now();
    }, SLEEP_CHECK);
  }

  // Whether this page can receive events: the user is signed in and the server has an event stream.
  get isAvailable() {
    return Boolean(user) && isConfigured !== undefined;
  }

  start() {
    if (this.#started || !user) return;
    this.#started = true;
    this.#channel = new BroadcastChannel(name);
    this.#channel.addEventListener("message", ({ data }) => this.#received(data));
    if (!this.isAvailable) return queueMicrotask(() => this.#emit("retrying"));
    if (!sharesStream) return this.#lead();
    this.#left = new AbortController();
    navigator.locks.request(name, { signal: this.#left.signal }, () => this.#lead()).catch(() => {}); // the page was left
    this.#channel.postMessage({ asks: true });
  }

  // Connect now, unless the stream is open or opening.
  retry() {
    if (!this.leads || this.#source) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  share(kind, data) {
    this.#channel?.postMessage({ kind, data });
  }

  // Hold the stream until the page is left.
  #lead() {
    this.leads = true;
    this.open = false; // until the own stream is open; the stream of another tab has ended
    this.#connect();
    return new Promise((resolve) => (this.#release = resolve));
  }

  #stop() {
    if (!this.#started) return;
    this.#started = this.leads = this.open = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#openTimer);
    this.#source?.close();
    this.#source = null;
    this.#last = ""; // a page that comes back from the browser's cache loads again
    this.#left?.abort();
    this.#release?.();
    this.#channel.close();
  }

  // --- Between tabs -----------------------------------------------------------------------------------------------

  #received({ asks, state, kind, data, last, isWelcome }) {
    if (asks) {
      if (this.leads && this.open) this.#send({ state: "open", last: this.#last, isWelcome: true });
      return;
    }
    if (this.leads && (state || last)) return; // from a tab that has a stream of its own
    if (last) this.#last = last;
    if (kind) return this.#emit(kind, data);
    if (state === "open" && this.open) return;
    this.open = state === "open";
    this.#emit(state);
    if (isWelcome) this.#emit("resync", {}); // what happened before this tab joined is missing
  }

  #send(message) {
    if (sharesStream) this.#channel.postMessage(message);
  }

  #tell(state) {
    this.#emit(state);
    this.#send({ state, last: this.#last });
  }

  #emit(kind, data) {
    this.dispatchEvent(new CustomEvent(kind, { detail: data }));
  }

  // --- The stream. EventSource would reconnect to the redirected address, whose ticket is already used. So this class
  // reconnects through /api/v1/events/ with the id of the last event, after a delay that grows with each attempt.

  #connect() {
    const query = this.#last ? `?last_event_id=${encodeURIComponent(this.#last)}` : "";
    const resumes = Boolean(query);
    const source = new EventSource(`/api/v1/events/${query}`);
    this.#source = source;
    clearTimeout(this.#openTimer);
    this.#openTimer = setTimeout(() => this.#closed(), OPEN_TIMEOUT);
    source.addEventListener("error", () => source === this.#source && this.#closed());
    for (const each of KINDS) {
      source.addEventListener(each, (event) => {
        if (source !== this.#source) return;
        this.#last = event.lastEventId || this.#last;
        if (!this.open) this.#opened();
        // A stream that does not resume starts now: what happened before it is missing.
        const kind = each === "ready" && !resumes ? "resync" : each;
        const data = JSON.parse(event.data);
        this.#emit(kind, data);
        this.#send({ kind, data, last: this.#last });
      });
    }
  }

  #opened() {
    clearTimeout(this.#openTimer);
    this.#wait = FIRST_WAIT;
    this.open = true;
    this.#tell("open");
  }

  #closed() {
    this.#source?.close();
    this.#source = null;
    this.open = false;
    clearTimeout(this.#openTimer);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.retry(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    this.#tell("retrying");
  }
}

export const live = new Live();
