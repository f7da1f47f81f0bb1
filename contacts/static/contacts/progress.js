// How far an import is: a bar, rows per second and the time left, from the upload's last states.
import { h } from "../atrium/dom.js";
import { count, number } from "./words.js";

const SPAN = 6000; // milliseconds over which the speed is measured

export class Progress {
  #samples = []; // [time, rows]

  constructor() {
    this.bar = h("progress", { "aria-label": "Progress of the import" });
    this.text = h("p.muted.num", {});
    this.element = h("div.stack.tight", {}, this.bar, this.text);
  }

  show({ status, processed_rows: rows, total_rows: total, removed_contacts: contacts, removed_waiting: waiting, accepted, deferred }) {
    const isUndo = status === "undoing";
    const done = isUndo ? contacts + waiting : rows;
    const all = isUndo ? accepted + deferred : total;
    const now = Date.now();
    if (!this.#samples.length || done > this.#samples.at(-1)[1]) this.#samples.push([now, done]);
    while (this.#samples.length > 2 && now - this.#samples[0][0] > SPAN) this.#samples.shift();
    this.bar.max = Math.max(all, 1);
    if (status === "queued") this.bar.removeAttribute("value");
    else this.bar.value = done;
    const words = [status === "queued" ? "Waiting for a worker" : `${number(done)} of ${count(all, "row")}${isUndo ? " removed" : ""}`];
    const speed = this.#speed();
    if (speed && done < all) words.push(`${number(Math.round(speed))} rows per second`, left((all - done) / speed));
    this.text.textContent = words.join(" · ");
  }

  #speed() {
    if (this.#samples.length < 2) return 0;
    const [[since, before], [until, rows]] = [this.#samples[0], this.#samples.at(-1)];
    return until > since ? ((rows - before) / (until - since)) * 1000 : 0;
  }
}

function left(seconds) {
  if (seconds < 60) return `about ${Math.max(1, Math.round(seconds))} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

// "Imported in 4 s, 24,300 rows per second."
export function pace({ created_at: since, finished_at: until, processed_rows: rows }) {
  if (!until) return "";
  const seconds = (Date.parse(until) - Date.parse(since)) / 1000;
  const time = seconds < 10 ? `${Math.max(seconds, 0.1).toFixed(1)} s` : seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  return `Finished ${time} after the upload${rows > 1000 && seconds > 0 ? `, ${number(Math.round(rows / seconds))} rows per second` : ""}`;
}
