// Rejected rows as a table of inputs: the user corrects cells in place, a dry run checks them, and an upload of its own
// imports them.
import { h, icon } from "../atrium/dom.js";
import { csvFile, dryRun } from "./sheet.js";
import { count, reason } from "./words.js";

const FIELDS = [
  ["name", "Name"],
  ["phone_number", "Phone Number"],
  ["email_address", "Email Address"],
];

export class Corrections {
  #rows = new Map(); // number in the sheet -> { row, edited, verdict, inputs, note, element }

  // `changed()` is called after each input and each check.
  constructor(changed = () => {}) {
    this.changed = changed;
    this.body = h("div.fix-rows", { role: "rowgroup" });
    const head = h("div.fix-head", { role: "rowgroup" }, h("div", { role: "row" }, h("span", { role: "columnheader" }, "Row"), ...FIELDS.map(([, title]) => h("span", { role: "columnheader" }, title)), h("span", { role: "columnheader" }, "Reason")));
    this.element = h("div.fix", { role: "table", "aria-label": "Rejected rows" }, head, this.body);
  }

  add(rows) {
    for (const row of rows) if (!this.#rows.has(row.row)) this.#add(row);
  }

  // The corrected rows without those that are empty or, after a check, still invalid.
  get ready() {
    return this.#entries().filter(({ edited, verdict }) => verdict?.outcome !== "rejected" && FIELDS.some(([field]) => edited[field].trim())).map(({ edited }) => edited);
  }

  get hasEdits() {
    return this.#entries().length > 0;
  }

  // How many corrected rows would be rejected again, as far as they were checked.
  get invalid() {
    return this.#entries().filter(({ verdict }) => verdict?.outcome === "rejected").length;
  }

  get isChecked() {
    return this.#entries().every(({ verdict }) => verdict);
  }

  #entries() {
    return [...this.#rows.values()].filter(({ edited }) => edited);
  }

  // Ask the server what an import would decide about the corrected rows, and show it at each row.
  async check() {
    const entries = this.#entries().filter(({ edited }) => FIELDS.some(([field]) => edited[field].trim()));
    if (!entries.length) return;
    const sent = entries.map(({ edited }) => ({ ...edited }));
    const report = await dryRun(csvFile(sent, "corrected.csv"));
    const rejected = new Map(report.rejected_rows.map((each) => [each.row, each]));
    entries.forEach((entry, index) => {
      if (FIELDS.some(([field]) => entry.edited?.[field] !== sent[index][field])) return; // changed meanwhile
      const found = rejected.get(index + 2);
      entry.verdict = found ? { outcome: "rejected", ...found } : { outcome: "accepted" };
      this.#showVerdict(entry);
    });
    this.changed();
  }

  focusInvalid() {
    this.body.querySelector('[aria-invalid="true"]')?.focus();
  }

  #add(row) {
    const entry = { row, edited: null, verdict: null, inputs: {} };
    entry.note = h("span.fix-note", { id: `fix-${row.row}` });
    const cells = FIELDS.map(([field, title]) => {
      const input = h("input", { type: "text", value: row[field], autocomplete: "off", spellcheck: false, "aria-label": `${title} of row ${row.row}`, "aria-describedby": entry.note.id });
      input.addEventListener("input", () => this.#typed(entry));
      entry.inputs[field] = input;
      return h("span", { role: "cell" }, h("span.only-phone.small.muted", { "aria-hidden": "true" }, title), input);
    });
    entry.element = h("div.fix-row", { role: "row" }, h("span.num.muted", { role: "rowheader" }, h("span.only-phone", {}, "Row "), String(row.row)), ...cells, h("span", { role: "cell" }, entry.note));
    this.#rows.set(row.row, entry);
    this.#showReason(entry, row, "danger");
    this.body.append(entry.element);
  }

  #typed(entry) {
    const texts = Object.fromEntries(FIELDS.map(([field]) => [field, entry.inputs[field].value]));
    const isEdited = FIELDS.some(([field]) => texts[field] !== entry.row[field]);
    entry.edited = isEdited ? texts : null;
    entry.verdict = null;
    entry.element.classList.toggle("edited", isEdited);
    if (isEdited) {
      this.#mark(entry, "");
      entry.note.replaceChildren(h("span.badge.info", {}, "Edited"));
    } else {
      this.#showReason(entry, entry.row);
    }
    this.changed();
  }

  #showVerdict(entry) {
    if (entry.verdict.outcome === "rejected") return this.#showReason(entry, entry.verdict);
    this.#mark(entry, "");
    entry.note.replaceChildren(h("span.badge.ok", {}, icon("check"), "Corrected"));
  }

  #showReason(entry, { code, message, column }) {
    this.#mark(entry, FIELDS.find(([, title]) => title === column)?.[0] ?? "");
    entry.note.replaceChildren(h("strong", {}, reason(code)), h("span.muted.small", {}, message));
  }

  #mark(entry, invalid) {
    for (const [field] of FIELDS) entry.inputs[field].setAttribute("aria-invalid", String(field === invalid));
  }
}

export const corrected = (corrections) => count(corrections.ready.length, "corrected row");
