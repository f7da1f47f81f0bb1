// A windowed list of rows of one height. Only the rows near the visible part of the page are elements, and only the pages
// of rows that were seen are requested, so that 100,000 rows scroll like 100.
import { h } from "../atrium/dom.js";

const PAGE = 100; // rows of a request
const MARGIN = 600; // pixels above and below the window in which rows exist
const PAUSE = 60; // milliseconds at a place until its rows are requested
const LARGEST = 15_000_000; // pixels: browsers limit the height of an element

export class Rows {
  count = 0;
  #pages = new Map(); // number -> rows, or null while they are requested
  #shown = new Map(); // position -> [element, version]
  #height = 1;
  #frame = 0;
  #timer = 0;
  #generation = 0;

  // `fetchRows(offset, limit)` returns { count, results }. `build(row)` returns the cells of a row. `changed(error)` is
  // called after each request.
  constructor(box, { fetchRows, build, version, changed }) {
    Object.assign(this, { box, fetchRows, build, version, changed });
    addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(box);
    box.addEventListener("keydown", (event) => this.#key(event));
    this.#measure();
  }

  // Forget all rows and request those in view. `keep` shows the old ones until the new ones arrive.
  async reload({ keep = false } = {}) {
    const generation = ++this.#generation;
    const first = keep ? Math.floor(this.#range()[0] / PAGE) : 0;
    try {
      const { count, results } = await this.fetchRows(first * PAGE, PAGE);
      if (generation !== this.#generation) return;
      this.#pages = new Map([[first, results]]);
      this.count = count;
      this.#measure(); // the style sheet may have arrived after the constructor
      this.box.style.height = `${Math.min(count * this.#height, LARGEST)}px`;
      this.draw();
      this.changed();
    } catch (error) {
      if (generation === this.#generation && error.name !== "AbortError") this.changed(error);
    }
  }

  draw() {
    const [from, to] = this.#range();
    const focused = this.box.contains(document.activeElement) ? document.activeElement.closest("[data-index]") : null;
    for (const [index, [element]] of this.#shown) {
      if ((index < from || index >= to) && element !== focused) {
        element.remove();
        this.#shown.delete(index);
      }
    }
    let isMissing = false;
    for (let index = from; index < to; index++) {
      const row = this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
      if (!row && this.#pages.get(Math.floor(index / PAGE)) === undefined) isMissing = true;
      this.#place(index, row);
    }
    for (const [index, [element]] of this.#shown) {
      if (index >= this.count) {
        element.remove();
        this.#shown.delete(index);
      }
    }
    if (isMissing) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#request(), PAUSE);
    }
  }

  // Bring the row at `index` into view and focus its link.
  focus(index) {
    if (index < 0 || index >= this.count) return;
    const top = this.box.getBoundingClientRect().top + index * this.#height;
    const head = 60;
    if (top < head) scrollBy(0, top - head);
    else if (top + this.#height > innerHeight) scrollBy(0, top + this.#height - innerHeight);
    this.draw();
    const element = this.#shown.get(index)?.[0];
    (element?.querySelector("a") ?? element)?.focus({ preventScroll: true });
  }

  indexOf(id) {
    for (const [page, rows] of this.#pages) {
      const index = rows?.findIndex((row) => row.id === id) ?? -1;
      if (index >= 0) return page * PAGE + index;
    }
    return -1;
  }

  find(id) {
    const index = this.indexOf(id);
    return index < 0 ? null : this.#pages.get(Math.floor(index / PAGE))[index % PAGE];
  }

  // Replace a row that was changed.
  replace(row) {
    const index = this.indexOf(row.id);
    if (index < 0) return;
    this.#pages.get(Math.floor(index / PAGE))[index % PAGE] = row;
    this.draw();
  }

  #range() {
    const top = this.box.getBoundingClientRect().top;
    const most = Math.min(this.count, Math.floor(LARGEST / this.#height));
    const from = Math.max(0, Math.min(most, Math.floor((-top - MARGIN) / this.#height)));
    return [from, Math.max(from, Math.min(most, Math.ceil((innerHeight - top + MARGIN) / this.#height)))];
  }

  #place(index, row) {
    const version = row ? `${row.id} ${this.version(row)}` : "";
    const present = this.#shown.get(index);
    if (present && present[1] === version) return;
    let element = present?.[0];
    if (!element) {
      element = h("div.person", { role: "row", "aria-rowindex": String(index + 2), "data-index": String(index) });
      element.style.transform = `translateY(${index * this.#height}px)`;
      this.#insert(index, element);
    }
    const focus = element.contains(document.activeElement) ? (document.activeElement.dataset.focus ?? "link") : "";
    element.replaceChildren(...(row ? this.build(row, element) : [h("span.skeleton", { role: "cell" }, h("span.visually-hidden", {}, "Loading"))]));
    if (focus) (element.querySelector(`[data-focus="${focus}"]`) ?? element.querySelector("a"))?.focus({ preventScroll: true });
    this.#shown.set(index, [element, version]);
  }

  // Keep the order of the elements that of the rows: Tab and screen readers follow it.
  #insert(index, element) {
    let after = null;
    for (const child of this.box.children) {
      if (Number(child.dataset.index) > index) {
        after = child;
        break;
      }
    }
    this.box.insertBefore(element, after);
  }

  async #request() {
    const [from, to] = this.#range();
    const wanted = [];
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page++) if (this.#pages.get(page) === undefined) wanted.push(page);
    const generation = this.#generation;
    await Promise.all(
      wanted.map(async (page) => {
        this.#pages.set(page, null);
        try {
          const { count, results } = await this.fetchRows(page * PAGE, PAGE);
          if (generation !== this.#generation) return;
          this.#pages.set(page, results);
          if (count !== this.count) return this.reload({ keep: true }); // rows came or went: positions have moved
          this.draw();
          this.changed();
        } catch (error) {
          if (generation !== this.#generation) return;
          this.#pages.delete(page);
          if (error.name !== "AbortError") this.changed(error);
        }
      }),
    );
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.draw();
    });
  }

  #measure() {
    const probe = h("div.person", { "aria-hidden": "true" });
    this.box.append(probe);
    const height = probe.offsetHeight || 1;
    probe.remove();
    if (height !== this.#height) {
      this.#height = height;
      this.box.style.height = `${Math.min(this.count * height, LARGEST)}px`;
      for (const [index, [element]] of this.#shown) element.style.transform = `translateY(${index * height}px)`;
    }
    this.#soon();
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("[data-index]");
    if (!step || !row || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.focus(Number(row.dataset.index) + step);
  }
}
