// The fields of a note, for the composer and the editor: title, text or checklist, and whether it is saved.
import { h } from "../atrium/dom.js";
import { Checklist } from "./checklist.js";
import { paint } from "./look.js";
import { same } from "./merge.js";

const { maxTitle, maxBody } = document.getElementById("main").dataset;
const STATES = {
  saved: "Saved",
  waiting: "Saving…",
  saving: "Saving…",
  offline: "No connection. Your text is kept in this browser and will be saved.",
  "signed-out": "You are signed out. Your text is kept in this browser.",
  conflict: "Somebody else changed the same text.",
  gone: "This note was deleted, or you lost access to it.",
};

export class NoteForm {
  #checklist = null;
  #reading = false;
  #listeners = new AbortController();

  constructor(draft, { readOnly = false, reading = false } = {}) {
    this.draft = draft;
    this.readOnly = readOnly;
    this.title = h("input.note-title", { type: "text", placeholder: "Title", "aria-label": "Title", maxLength: maxTitle, readOnly, autocomplete: "off" });
    this.body = h("textarea.note-body", { rows: 2, placeholder: readOnly ? "" : "Take a note…", "aria-label": "Text", maxLength: maxBody, readOnly });
    this.rendered = h("div.markdown", { hidden: true });
    this.items = h("div");
    this.status = h("p.save-state.small.muted", { role: "status" });
    this.element = h("div.note-form", {}, this.title, this.rendered, this.body, this.items);
    this.title.addEventListener("input", () => draft.set({ title: this.title.value }));
    this.title.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      this.focus();
    });
    this.body.addEventListener("input", () => {
      this.#grow();
      draft.set({ body: this.body.value });
    });
    // A click on the text edits it; a click on a link follows the link.
    this.rendered.addEventListener("click", (event) => !event.target.closest("a") && !String(getSelection()) && this.read(false));
    const { signal } = this.#listeners;
    draft.addEventListener("merged", () => this.show(), { signal });
    draft.addEventListener("state", () => this.#showState(), { signal });
    this.show();
    if (reading && draft.content.body) this.read(true);
  }

  // Show the draft's content where it differs from what is shown.
  show() {
    const { title, body, items } = this.draft.content;
    if (this.title.value !== title) this.title.value = title;
    if (this.body.value !== body) {
      const { selectionStart, selectionEnd } = this.body;
      this.body.value = body;
      if (document.activeElement === this.body) this.body.setSelectionRange(selectionStart, selectionEnd);
      if (this.#reading) this.read(true);
    }
    if (items.length && !this.#checklist) this.#showChecklist(items);
    else if (this.#checklist && !same(this.#checklist.items, items)) items.length ? this.#checklist.set(items) : this.#hideChecklist();
    this.#showBody();
    this.#showState(true);
  }

  get hasChecklist() {
    return Boolean(this.#checklist);
  }

  focus() {
    if (this.#checklist && !this.draft.content.body) this.#checklist.focus();
    else if (!this.#reading) this.body.focus();
  }

  close() {
    this.#listeners.abort();
  }

  // Show the text as Markdown, or as a field.
  async read(wanted) {
    this.#reading = wanted;
    if (wanted) {
      const { renderMarkdown } = await import("./markdown.js");
      if (this.#reading) this.rendered.replaceChildren(renderMarkdown(this.draft.content.body));
    }
    this.#showBody();
    if (!wanted) this.body.focus();
    this.element.dispatchEvent(new CustomEvent("reading", { detail: wanted }));
  }

  // Lines become items, and items become lines.
  toggleChecklist() {
    if (this.#checklist) {
      const lines = this.draft.content.items.map((item) => item.text);
      this.#hideChecklist();
      this.draft.set({ items: [], body: [this.draft.content.body, ...lines].filter(Boolean).join("\n") });
    } else {
      const lines = this.draft.content.body.split("\n").filter((line) => line.trim()).map((text) => ({ text: text.slice(0, 1000), checked: false }));
      this.#showChecklist(lines);
      this.draft.set({ items: lines, body: "" });
    }
    this.#reading = false;
    this.show();
    this.focus();
  }

  #showChecklist(items) {
    this.#checklist = new Checklist({ items, readOnly: this.readOnly, change: (changed) => this.draft.set({ items: changed }) });
    this.items.replaceChildren(this.#checklist.element);
  }

  #hideChecklist() {
    this.#checklist = null;
    this.items.replaceChildren();
  }

  #showBody() {
    const { body } = this.draft.content;
    const needsBody = !this.#checklist || body;
    this.rendered.hidden = !this.#reading || !needsBody;
    this.body.hidden = this.#reading || !needsBody || (this.readOnly && !body);
    this.#grow();
  }

  #grow() {
    if (CSS.supports("field-sizing", "content") || this.body.hidden) return;
    this.body.style.height = "auto";
    this.body.style.height = `${this.body.scrollHeight}px`;
  }

  #showState(isFirst = false) {
    const { state, error } = this.draft;
    this.status.textContent = isFirst && state === "saved" ? "" : (STATES[state] ?? `Not saved: ${error?.message}`);
    this.status.classList.toggle("errors", ["refused", "conflict", "gone"].includes(state));
    paint(this.element, this.draft.content.color);
    this.element.dispatchEvent(new CustomEvent("state"));
  }
}
