// A windowed list of cards in columns. Only the cards near the visible part of the page are elements, so 5,000 notes scroll
// like 50. A card's height is estimated until it has been shown once.

const GAP = 12;
const CARD = 236; // the least width of a card
const HEADING = 34;
const MARGIN = 800; // pixels above and below the window in which cards exist
const LIST_WIDTH = 640;

export class Masonry {
  asList = false;
  #groups = []; // [{ title, items }]
  #placed = []; // { key, item, left, top, height } or { title, top }
  #heights = new Map(); // key -> [version, height], at the present width
  #shown = new Map(); // key -> element
  #width = 0;
  #columns = 1;
  #frame = 0;

  // `describe(item)` returns { key, version, build, estimate(width) }. `near()` is called when the end comes near.
  constructor(box, { describe, near }) {
    this.box = box;
    this.describe = describe;
    this.near = near;
    addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(box);
  }

  set(groups) {
    this.#groups = groups;
    this.#place();
    this.draw();
  }

  get keys() {
    return this.#placed.filter((each) => each.key !== undefined).map((each) => each.key);
  }

  element(key) {
    return this.#shown.get(key) ?? null;
  }

  // Bring a card into view and return its element.
  reveal(key) {
    const place = this.#placed.find((each) => each.key === key);
    if (!place) return null;
    const top = this.box.getBoundingClientRect().top + place.top;
    if (top < 90) scrollBy(0, top - 90);
    else if (top + place.height > innerHeight - 16) scrollBy(0, Math.min(top + place.height - innerHeight + 16, top - 90));
    this.draw();
    return this.element(key);
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.draw();
    });
  }

  #resized() {
    if (this.box.clientWidth === this.#width) return;
    this.#heights.clear();
    this.#place();
    this.draw();
  }

  relayout() {
    this.#heights.clear();
    this.#place();
    this.draw();
  }

  #place() {
    this.#width = this.box.clientWidth;
    const width = this.asList ? Math.min(this.#width, LIST_WIDTH) : this.#width;
    this.#columns = this.asList || width < 2 * 150 + GAP ? 1 : Math.max(width < 520 ? 2 : 1, Math.floor((width + GAP) / (CARD + GAP)));
    this.cardWidth = (width - GAP * (this.#columns - 1)) / this.#columns;
    const offset = (this.#width - width) / 2;
    this.#placed = [];
    let start = 0;
    for (const { title, items } of this.#groups) {
      if (title) {
        this.#placed.push({ title, left: offset, top: start });
        start += HEADING;
      }
      const ends = new Array(this.#columns).fill(start);
      for (const item of items) {
        const card = this.describe(item);
        const column = ends.indexOf(Math.min(...ends));
        const [version, known] = this.#heights.get(card.key) ?? [];
        const height = known ?? card.estimate(this.cardWidth);
        this.#placed.push({ ...card, stale: version !== card.version, left: offset + column * (this.cardWidth + GAP), top: ends[column], height });
        ends[column] += height + GAP;
      }
      start = Math.max(...ends) + (title ? GAP : 0);
    }
    this.box.style.height = `${start}px`;
  }

  draw(again = true) {
    const { top } = this.box.getBoundingClientRect();
    const visible = this.#placed.filter(
      (each) => (each.top + (each.height ?? HEADING) + top > -MARGIN && each.top + top < innerHeight + MARGIN) || this.#shown.get(each.key)?.contains(document.activeElement),
    );
    const wanted = new Map(visible.map((each) => [each.key ?? `title ${each.title}`, each]));
    for (const [key, element] of this.#shown) {
      if (wanted.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    let previous = null;
    for (const [key, each] of wanted) {
      let element = this.#shown.get(key);
      if (!element || element.dataset.version !== (each.version ?? "")) {
        const fresh = each.title ? heading(each.title) : each.build();
        fresh.dataset.version = each.version ?? "";
        if (element) replace(element, fresh);
        element = fresh;
        this.#shown.set(key, element);
      }
      // The order of the elements is that of the list, for keyboards and screen readers.
      const next = previous ? previous.nextSibling : this.box.firstChild;
      if (element !== next) move(this.box, element, next);
      element.style.transform = `translate(${each.left}px, ${each.top}px)`;
      if (!each.title) element.style.width = `${this.cardWidth}px`;
      previous = element;
    }
    if (this.#measure(visible) && again) {
      this.#place();
      this.draw(false);
    }
    const end = this.#placed.at(-1);
    if (!end || end.top + top < innerHeight + 2 * MARGIN) this.near();
  }

  // Returns whether a height differs from what the layout assumed.
  #measure(visible) {
    let differs = false;
    for (const each of visible) {
      if (each.title || !each.stale) continue;
      const height = this.#shown.get(each.key).offsetHeight;
      this.#heights.set(each.key, [each.version, height]);
      differs ||= Math.abs(height - each.height) > 0.5;
    }
    return differs;
  }
}

function heading(title) {
  const element = document.createElement("h2");
  element.className = "group-title";
  element.textContent = title;
  return element;
}

// Replace a card by its new version; the focus stays on the same button.
function replace(old, fresh) {
  const focus = old.contains(document.activeElement) ? (document.activeElement.dataset.focus ?? "") : null;
  old.replaceWith(fresh);
  if (focus !== null) (fresh.querySelector(`[data-focus="${CSS.escape(focus)}"]`) ?? fresh.querySelector("a, button"))?.focus({ preventScroll: true });
}

// Move an element; one that is moved loses the focus.
function move(box, element, next) {
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  box.insertBefore(element, next);
  active?.focus({ preventScroll: true });
}
