// The checklist of a note: tick, edit, add, remove, move by drag or keys, indent; completed items are below.
//
// The API's items have a text and a tick. An indented item is one whose text begins with two spaces, which every other
// client shows as such; there is one level, as in Google Keep.
import { h, icon } from "../atrium/dom.js";
import { INDENT, isIndented } from "./look.js";

const INDENT_AFTER = 24; // pixels of a drag to the right
const { maxItem } = document.getElementById("main").dataset;

export const indented = (text, wanted) => (wanted ? INDENT : "") + text.replace(/^ {2}/, "");

export class Checklist {
  #items = []; // { text, checked }, in the order of the note
  #rows = new Map(); // item -> its element

  constructor({ items, readOnly, change, allGone }) {
    this.change = change;
    this.allGone = allGone;
    this.readOnly = readOnly;
    this.open = h("ul.items", { "aria-label": "Checklist" });
    this.done = h("ul.items", { "aria-label": "Completed items" });
    this.count = h("span");
    this.completed = h("details.completed", { open: true }, h("summary", {}, this.count), this.done);
    this.add = h("input.add-item", { type: "text", placeholder: "List item", "aria-label": "New list item", maxLength: maxItem });
    this.element = h("div.checklist", {}, this.open, !readOnly && h("div.item-row.new", {}, icon("plus"), this.add), this.completed);
    this.add.addEventListener("input", () => this.#append());
    this.add.addEventListener("paste", (event) => this.#paste(event, null));
    this.set(items);
  }

  get items() {
    return this.#items.map(({ text, checked }) => ({ text, checked }));
  }

  // Show other items, such as after a change by somebody else. The focus stays on the same place.
  set(items) {
    const index = this.#items.findIndex((item) => this.#rows.get(item)?.contains(document.activeElement));
    const { selectionStart, selectionEnd } = document.activeElement ?? {};
    this.#items = items.map((item) => ({ ...item }));
    this.#rows.clear();
    this.#draw();
    if (index >= 0 && this.#items[index]) {
      const field = this.#field(this.#items[index]);
      field.focus();
      field.setSelectionRange?.(selectionStart, selectionEnd);
    }
  }

  focus() {
    const first = this.#items.find((item) => !item.text.trim());
    (first ? this.#field(first) : this.add).focus();
  }

  #draw() {
    const active = document.activeElement;
    for (const item of this.#rows.keys()) if (!this.#items.includes(item)) this.#rows.delete(item);
    for (const item of this.#items) if (!this.#rows.has(item)) this.#rows.set(item, this.#build(item));
    const show = (list, items) => {
      const rows = items.map((item) => this.#rows.get(item));
      rows.forEach((row, position) => list.children[position] !== row && list.insertBefore(row, list.children[position] ?? null));
      while (list.children.length > rows.length) list.lastElementChild.remove();
    };
    show(this.open, this.#items.filter((item) => !item.checked));
    show(this.done, this.#items.filter((item) => item.checked));
    for (const [item, row] of this.#rows) {
      row.classList.toggle("indented", isIndented(item.text));
      row.querySelector("input[type=checkbox]").checked = item.checked;
    }
    const done = this.#items.filter((item) => item.checked).length;
    this.completed.hidden = !done;
    this.count.textContent = `${done} completed item${done === 1 ? "" : "s"}`;
    if (active?.isConnected && active !== document.activeElement && this.element.contains(active)) active.focus(); // it was moved
  }

  #changed() {
    this.#draw();
    this.change(this.items);
  }

  #field(item) {
    return this.#rows.get(item).querySelector("textarea");
  }

  #build(item) {
    const name = () => item.text.trim() || "empty item";
    const box = h("input", { type: "checkbox", checked: item.checked, disabled: this.readOnly, "aria-label": name() });
    const text = h("textarea", { rows: 1, value: item.text.replace(/^ {2}/, ""), maxLength: maxItem - INDENT.length, readOnly: this.readOnly, "aria-label": "List item" });
    const handle = h("button.handle", { type: "button", "aria-label": `Move ${name()}`, title: "Drag to move. Arrow keys move and indent." }, icon("drag"));
    const remove = h("button.remove", { type: "button", "aria-label": `Delete ${name()}` }, icon("close"));
    const row = h("li.item-row", {}, !this.readOnly && handle, box, text, !this.readOnly && remove);
    box.addEventListener("change", () => {
      item.checked = box.checked;
      this.#changed();
    });
    text.addEventListener("input", () => {
      item.text = indented(text.value.replaceAll("\n", " "), isIndented(item.text));
      box.setAttribute("aria-label", name());
      handle.setAttribute("aria-label", `Move ${name()}`);
      remove.setAttribute("aria-label", `Delete ${name()}`);
      this.change(this.items);
    });
    text.addEventListener("keydown", (event) => this.#key(event, item));
    text.addEventListener("paste", (event) => this.#paste(event, item));
    remove.addEventListener("click", () => this.#remove(item));
    handle.addEventListener("keydown", (event) => {
      const act = { ArrowUp: () => this.#move(item, -1), ArrowDown: () => this.#move(item, 1), ArrowRight: () => this.#indent(item, true), ArrowLeft: () => this.#indent(item, false) }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
      handle.focus();
    });
    handle.addEventListener("pointerdown", (event) => this.#drag(event, item, row, handle));
    return row;
  }

  #key(event, item) {
    const { target: field } = event;
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const rest = field.value.slice(field.selectionEnd);
      field.value = field.value.slice(0, field.selectionStart);
      const indent = isIndented(item.text);
      item.text = indented(field.value, indent);
      this.#insertAfter(item, [indented(rest, indent)]);
      const next = this.#field(this.#items[this.#items.indexOf(item) + 1]);
      next.focus();
      next.setSelectionRange(0, 0);
    } else if (event.key === "Backspace" && field.selectionEnd === 0) {
      event.preventDefault();
      if (isIndented(item.text)) return this.#indent(item, false);
      this.#joinToPrevious(item, field);
    } else if ((event.ctrlKey || event.metaKey) && (event.key === "]" || event.key === "[")) {
      event.preventDefault();
      this.#indent(item, event.key === "]");
    } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      this.#move(item, event.key === "ArrowUp" ? -1 : 1);
    } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && !event.shiftKey) {
      const fields = [...this.element.querySelectorAll("textarea"), this.add];
      const at = fields.indexOf(field);
      const isEdge = event.key === "ArrowUp" ? field.selectionStart === 0 : field.selectionEnd === field.value.length;
      if (isEdge) fields[at + (event.key === "ArrowUp" ? -1 : 1)]?.focus();
    }
  }

  #joinToPrevious(item, field) {
    const shown = this.#items.filter((each) => each.checked === item.checked);
    const previous = shown[shown.indexOf(item) - 1];
    if (!previous) return field.value ? undefined : this.#remove(item);
    const target = this.#field(previous);
    const end = target.value.length;
    previous.text += field.value;
    target.value = previous.text.replace(/^ {2}/, "");
    this.#items.splice(this.#items.indexOf(item), 1);
    this.#changed();
    target.focus();
    target.setSelectionRange(end, end);
  }

  #remove(item) {
    const at = this.#items.indexOf(item);
    this.#items.splice(at, 1);
    this.#changed();
    if (!this.#items.length && this.allGone?.()) return;
    const next = this.#items[at] ?? this.#items[at - 1];
    (next ? this.#field(next) : this.add).focus();
  }

  // A letter in the last field makes a new item.
  #append() {
    const text = this.add.value;
    if (!text) return;
    this.add.value = "";
    const last = this.#items.findLast((item) => !item.checked);
    if (last) this.#insertAfter(last, [indented(text, isIndented(last.text))]);
    else this.#insertAfter(null, [text]);
    const item = last ? this.#items[this.#items.indexOf(last) + 1] : this.#items[0];
    const field = this.#field(item);
    field.focus();
    field.setSelectionRange(text.length, text.length);
  }

  // Several lines become several items.
  #paste(event, item) {
    const lines = event.clipboardData.getData("text").split(/\r?\n/).map((line) => line.replace(/^\s*(?:[-*+]|\d+[.)])\s+(?:\[[ x]\]\s+)?/i, "").slice(0, maxItem - 2)).filter((line) => line.trim());
    if (lines.length < 2) return;
    event.preventDefault();
    this.#insertAfter(item ?? this.#items.at(-1) ?? null, lines);
  }

  #insertAfter(item, texts) {
    const at = item ? this.#items.indexOf(item) + 1 : 0;
    this.#items.splice(at, 0, ...texts.map((text) => ({ text, checked: item?.checked ?? false })));
    this.#changed();
  }

  #indent(item, wanted) {
    if (isIndented(item.text) === wanted || (wanted && this.#items.indexOf(item) === 0)) return;
    item.text = indented(item.text, wanted);
    this.#changed();
  }

  // Exchange the item with the next one of its list.
  #move(item, step) {
    const shown = this.#items.filter((each) => each.checked === item.checked);
    const other = shown[shown.indexOf(item) + step];
    if (!other) return;
    const [from, to] = [this.#items.indexOf(item), this.#items.indexOf(other)];
    [this.#items[from], this.#items[to]] = [other, item];
    this.#changed();
  }

  #drag(event, item, row, handle) {
    if (event.button) return;
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    row.classList.add("dragged");
    const startX = event.clientX;
    const wasIndented = isIndented(item.text);
    let indent = wasIndented;
    const move = ({ clientX, clientY }) => {
      const list = row.parentElement;
      const after = [...list.children].find((each) => each !== row && clientY < each.getBoundingClientRect().top + each.offsetHeight / 2);
      if (row.nextElementSibling !== (after ?? null)) list.insertBefore(row, after ?? null);
      indent = clientX - startX > INDENT_AFTER ? true : startX - clientX > INDENT_AFTER ? false : wasIndented;
      row.classList.toggle("indented", indent);
    };
    const end = () => {
      handle.removeEventListener("pointermove", move);
      row.classList.remove("dragged");
      const byRow = new Map([...this.#rows].map(([each, element]) => [element, each]));
      const shown = [...row.parentElement.children].map((element) => byRow.get(element));
      const others = this.#items.filter((each) => each.checked !== item.checked);
      item.text = indented(item.text, indent && shown[0] !== item);
      this.#items = item.checked ? [...others, ...shown] : [...shown, ...others];
      this.#changed();
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", end, { once: true });
  }
}
