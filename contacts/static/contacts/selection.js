// Selected contacts, and the bar that deletes them. The selection outlives scrolling: it may be larger than what is loaded.
import { h, icon } from "../atrium/dom.js";
import { atrium } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";
import { count, number } from "./words.js";

const EACH = 1000; // contacts of one request that deletes
const PART = 100_000; // ids of one request that selects

export class Selection {
  #ids = new Set();
  #last = null; // position of the row that was chosen last
  #total = 0;
  #isLoading = false;
  #loads = 0; // counts them, so that one that was given up adds nothing
  #deselected = new Set(); // while ids are loaded

  // `all` is the box in the table's head. `fetchIds(offset, limit)` returns the ids of rows by their position.
  // `changed()` is called after each change, `deleted()` after the contacts were deleted.
  constructor(bar, all, { fetchIds, changed, deleted }) {
    Object.assign(this, { bar, all, fetchIds, changed, deleted });
    this.text = h("strong.num", { role: "status" });
    this.rest = h("button.button.quiet.small", { type: "button", onclick: () => this.#add(0, this.#total) });
    this.remove = h("button.button.danger.small", { type: "button", onclick: () => this.#ask() }, icon("trash"), "Delete");
    const clear = h("button.button.quiet.icon-only.small", { type: "button", title: "Clear the selection", "aria-label": "Clear the selection", onclick: () => this.clear() }, icon("close"));
    bar.append(clear, this.text, this.rest, h("span.grow"), this.remove);
    all.addEventListener("change", () => (all.checked ? this.#add(0, this.#total) : this.clear()));
  }

  has(id) {
    return this.#ids.has(id);
  }

  // Select or deselect the row at `index`; with `isRange` everything between the last choice and this one.
  set(id, index, wanted, isRange) {
    const [from, to] = [this.#last ?? index, index].sort((a, b) => a - b);
    this.#last = index;
    if (isRange && wanted && from !== to) return this.#add(from, to - from + 1);
    const [gains, loses] = wanted ? [this.#ids, this.#deselected] : [this.#deselected, this.#ids];
    gains.add(id);
    loses.delete(id);
    this.#draw();
  }

  clear() {
    this.#last = null;
    this.#loads += 1;
    this.#isLoading = false;
    this.#ids.clear();
    this.#draw();
  }

  // How many contacts the list has.
  set total(value) {
    this.#total = value;
    this.#draw();
  }

  async #add(offset, limit) {
    if (this.#isLoading) return;
    this.#isLoading = true;
    const load = ++this.#loads;
    this.#deselected.clear();
    this.#draw();
    try {
      for (let start = offset; start < offset + limit; start += PART) {
        const ids = await this.fetchIds(start, Math.min(PART, offset + limit - start));
        if (load !== this.#loads) return;
        for (const id of ids) if (!this.#deselected.has(id)) this.#ids.add(id);
      }
    } catch (error) {
      if (load !== this.#loads) return;
      toast(error.message, "danger");
    }
    this.#isLoading = false;
    this.#draw();
  }

  #draw() {
    const { size } = this.#ids;
    this.bar.hidden = !size;
    this.remove.disabled = this.#isLoading;
    const text = `${number(size)} selected`;
    if (this.text.textContent !== text) this.text.textContent = text;
    this.rest.textContent = `Select all ${number(this.#total)}`;
    this.rest.hidden = size >= this.#total;
    this.all.checked = size > 0 && size >= this.#total;
    this.all.indeterminate = size > 0 && size < this.#total;
    this.changed();
  }

  #ask() {
    const what = count(this.#ids.size, "contact");
    const progress = h("progress", { max: this.#ids.size, value: 0, hidden: true, "aria-label": "Progress of the deletion" });
    const cancel = h("button.button.secondary", { type: "button", onclick: () => dialog.close() }, "Cancel");
    const confirm = h("button.button.danger", { type: "button" }, `Delete ${what}`);
    const dialog = h("dialog", { "aria-labelledby": "delete-title" }, h("h2", { id: "delete-title" }, `Delete ${what}?`), h("p", {}, "They are deleted permanently. This cannot be undone."), progress, h("div.dialog-actions", {}, cancel, confirm));
    let isRunning = false;
    confirm.addEventListener("click", async () => {
      if (isRunning) return;
      isRunning = true;
      confirm.setAttribute("aria-busy", "true");
      cancel.disabled = true;
      progress.hidden = false;
      await this.#delete((done) => (progress.value = done));
      isRunning = false;
      dialog.close();
    });
    dialog.addEventListener("cancel", (event) => isRunning && event.preventDefault());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  }

  async #delete(progress) {
    const ids = [...this.#ids];
    let deleted = 0;
    try {
      for (let start = 0; start < ids.length; start += EACH) {
        const part = ids.slice(start, start + EACH);
        deleted += (await atrium.post("/contacts/delete/", { body: { ids: part } })).deleted;
        for (const id of part) this.#ids.delete(id);
        progress(start + part.length);
      }
      toast(`Deleted ${count(deleted, "contact")}.`, "ok");
    } catch (error) {
      toast(`Deleted ${number(deleted)} of ${count(ids.length, "contact")}. ${error.message}`, "danger", 0);
    }
    this.#last = null;
    this.#draw();
    this.deleted();
  }
}
