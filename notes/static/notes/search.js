// The search field and the filters. Both are in the address; `go(changes)` changes it.
import { $, h, icon } from "../atrium/dom.js";
import { colorClass } from "./look.js";
import { COLOR_NAMES, popup, titleOf } from "./menus.js";

const PAUSE = 250; // milliseconds after a key until the search starts
const KINDS = { list: "Checklists", text: "Without checklist" };

export class Search {
  #timer = 0;
  #drawn = ""; // the search that the field was set to

  constructor(store, go) {
    this.store = store;
    this.go = go;
    this.field = $("search");
    this.field.addEventListener("input", () => this.#typed());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.field.value) return;
      this.field.blur();
    });
    $("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search();
    });
    $("filter").addEventListener("click", () => this.#menu());
    if (this.field.value) this.#typed(); // before this script was loaded
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#search(), PAUSE);
  }

  // The letters of one search are one entry of the browser's history.
  #search() {
    clearTimeout(this.#timer);
    const q = this.field.value.trim();
    if (q !== this.store.view.q) this.go({ q, open: null }, { replace: Boolean(this.store.view.q && q) });
  }

  focus() {
    this.field.focus();
    this.field.select();
  }

  // Show the view's search and filters. What is being typed stays, unless another search is opened.
  draw(view) {
    if (view.q !== this.#drawn && view.q !== this.field.value.trim()) this.field.value = view.q;
    this.#drawn = view.q;
    const label = this.store.labels.find((each) => String(each.id) === view.label);
    const chips = [
      view.color && ["color", titleOf(view.color)],
      view.kind && ["kind", KINDS[view.kind] ?? view.kind],
      view.reminder && ["reminder", "With reminder"],
      view.person && ["person", `With ${this.#name(view.person)}`],
      view.label && view.name !== "notes" && ["label", label?.name ?? "Label"],
    ].filter(Boolean);
    $("filters").hidden = !chips.length;
    $("filters").replaceChildren(
      ...chips.map(([name, text]) => h("button.chip", { type: "button", "aria-label": `Remove filter: ${text}`, onclick: () => this.go({ [name]: "" }) }, text, icon("close"))),
    );
    $("filter").classList.toggle("active", chips.length > 0);
  }

  #people() {
    const me = document.documentElement.dataset.user;
    const people = new Map();
    for (const note of this.store.notes.values()) for (const each of [note.owner, ...note.collaborators]) if (each.usercode !== me) people.set(each.usercode, each.username);
    return people;
  }

  #name(usercode) {
    return this.#people().get(usercode) ?? usercode;
  }

  #menu() {
    const { view } = this.store;
    const choose = (changes) => {
      close();
      this.go(changes);
    };
    const option = (label, isOn, changes) => h("button", { type: "button", "aria-pressed": String(isOn), onclick: () => choose(changes) }, isOn ? icon("check") : h("span.icon"), label);
    const people = [...this.#people()].slice(0, 12);
    const swatches = COLOR_NAMES.filter((name) => name !== "default").map((name) =>
      h(`button.swatch.${colorClass(name)}`, { type: "button", title: titleOf(name), "aria-label": titleOf(name), "aria-pressed": String(view.color === name), onclick: () => choose({ color: view.color === name ? "" : name }) }, view.color === name && icon("check")),
    );
    const labels = h("select", { onchange: () => choose({ label: labels.value }) }, h("option", { value: "" }, "Any"), ...this.store.labels.map(({ id, name }) => h("option", { value: String(id), selected: view.label === String(id) }, name)));
    const close = popup(
      $("filter"),
      "Filter",
      h(
        "div",
        {},
        ...Object.entries(KINDS).map(([kind, text]) => option(text, view.kind === kind, { kind: view.kind === kind ? "" : kind })),
        option("With reminder", Boolean(view.reminder), { reminder: view.reminder ? "" : "true" }),
        labels.options.length > 1 && h("label.menu-field.small", {}, "Label", labels),
        h("hr"),
        h("div.swatches", {}, ...swatches),
        ...(people.length ? [h("hr"), h("p.small.muted.menu-title", {}, "Shared with"), ...people.map(([code, name]) => option(name, view.person === code, { person: view.person === code ? "" : code }))] : []),
      ),
    );
  }
}
