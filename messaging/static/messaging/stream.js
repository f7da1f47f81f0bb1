// The open line to the events process. A browser alone would come back to where it was redirected, with a ticket that is
// spent, so coming back is done here: by the front door, with the id of the last event, a little later each time.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15000;
const OPENING = 15000; // how long the line may take to open
const NAP = 10000; // how often the page looks whether it was asleep

export class Stream extends EventTarget {
  #source = null;
  #last = "";
  #wait = FIRST_WAIT;
  #timer = 0;
  #opening = 0;
  open = false;

  constructor(kinds) {
    super();
    this.kinds = kinds;
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.#lost());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.retry());
    // A machine that slept has a line that is dead, though nobody told it.
    let awake = Date.now();
    setInterval(() => {
      if (Date.now() - awake > 4 * NAP) this.#lost();
      awake = Date.now();
    }, NAP);
  }

  // Try now, unless the line is open or being opened.
  retry() {
    if (this.#source) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  #connect() {
    const query = this.#last ? `?last_event_id=${encodeURIComponent(this.#last)}` : "";
    const source = new EventSource(`/api/v1/events/${query}`);
    this.#source = source;
    clearTimeout(this.#opening);
    this.#opening = setTimeout(() => this.#lost(), OPENING);
    source.addEventListener("error", () => source === this.#source && this.#lost());
    for (const kind of ["ready", "resync", ...this.kinds]) {
      source.addEventListener(kind, (event) => {
        if (source !== this.#source) return;
        this.#last = event.lastEventId || this.#last;
        if (!this.open) this.#opened();
        this.#tell(kind, JSON.parse(event.data));
      });
    }
  }

  #opened() {
    this.open = true;
    clearTimeout(this.#opening);
    this.#wait = FIRST_WAIT;
    this.#tell("open");
  }

  #lost() {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#opening);
    if (this.open) {
      this.open = false;
      this.#tell("lost");
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.retry(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    this.#tell("waiting");
  }

  #tell(kind, data) {
    this.dispatchEvent(new CustomEvent(kind, { detail: data }));
  }
}
