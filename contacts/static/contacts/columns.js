// The second step of an import: which columns of the file contain the name, the phone number and the e-mail address.
import { h, icon } from "../atrium/dom.js";
import { count, number } from "./words.js";

const FIELDS = [
  ["name", "Name", "Several columns are joined by a space."],
  ["phone_number", "Phone number", "Of several columns the first that is not empty counts."],
  ["email_address", "E-mail address", "Of several columns the first that is not empty counts."],
];
const LAST_NAME = /^[^a-z]*(name)?(last|family|sur)[^a-z]*(name)?[^a-z]*$/i;
const OUTCOMES = { accepted: ["Accepted", "ok"], deferred: ["Waits first", "warn"], rejected: ["Rejected", "danger"] };

// Return the mapping as lists of titles, with what a guess has left out.
export function fullMapping({ mapping, columns, problems }) {
  const full = Object.fromEntries(FIELDS.map(([field]) => [field, [mapping[field] ?? []].flat()]));
  if (problems.some(({ code }) => code === "split_name")) {
    const last = columns.find((title) => LAST_NAME.test(title) && !full.name.includes(title));
    if (last) full.name.push(last);
  }
  return full;
}

// Show the columns. `chosen(mapping)` and `choseSheet(name)` are called when the user changes something.
export class Columns {
  constructor(box, { chosen, choseSheet, next, back }) {
    Object.assign(this, { box, chosen, choseSheet });
    this.preview = h("div", { id: "preview" });
    this.fields = h("div.mapping");
    this.sheet = h("div.field.sheet-choice", { hidden: true });
    this.next = h("button.button", { type: "button", onclick: next }, "Continue", icon("right"));
    this.hint = h("p.hint", { role: "status" });
    box.replaceChildren(
      h("h2", { id: "columns-title" }, "Match the columns"),
      h("p.muted", { id: "file-facts" }),
      this.sheet,
      this.fields,
      this.hint,
      h("h3", { id: "preview-title" }, "Preview"),
      this.preview,
      h("div.form-actions", {}, h("button.button.secondary", { type: "button", onclick: back }, icon("left"), "Back"), this.next),
    );
  }

  // Show a new file.
  open(file, report, mapping, sheet) {
    this.columns = report.columns;
    this.mapping = mapping;
    this.box.querySelector("#file-facts").textContent = `${file.name}: ${count(report.columns.length, "column")}${report.encoding ? `, encoding ${report.encoding}` : ""}.`;
    this.sheet.hidden = report.sheets.length < 2;
    const select = h("select", { id: "sheet", onchange: () => this.choseSheet(select.value) }, ...report.sheets.map((name, index) => h("option", { value: name, selected: sheet ? name === sheet : index === 0 }, name)));
    this.sheet.replaceChildren(h("label", { htmlFor: "sheet" }, "Sheet"), select);
    this.#drawFields();
    this.show(report);
  }

  // Show the rows as they would be read with the present mapping.
  show(report) {
    this.preview.removeAttribute("aria-busy");
    if (!report.rows.length) return this.preview.replaceChildren(h("p.muted", {}, "Choose the column of phone numbers or e-mail addresses to see the rows."));
    const rows = report.rows.map((row) => {
      const [text, kind] = OUTCOMES[row.outcome];
      return h("tr", {}, h("td.num.muted", {}, number(row.row)), h("td", {}, row.name), h("td", {}, row.phone_number), h("td", {}, row.email_address), h("td", { title: row.message ?? "" }, h(`span.badge.${kind}`, {}, text)));
    });
    const head = ["Row", "Name", "Phone number", "E-mail address", "Result"].map((title, index) => h(index ? "th" : "th.num", { scope: "col" }, title));
    this.preview.replaceChildren(
      h("div.table-wrap", { role: "region", "aria-labelledby": "preview-title", tabIndex: 0 }, h("table.preview", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows))),
    );
  }

  busy() {
    this.preview.setAttribute("aria-busy", "true");
  }

  get isComplete() {
    return this.mapping.phone_number.length > 0 || this.mapping.email_address.length > 0;
  }

  #drawFields() {
    this.fields.replaceChildren(...FIELDS.map((field) => this.#field(...field)));
    this.next.disabled = !this.isComplete;
    this.hint.textContent = this.isComplete ? "" : "A column of phone numbers or of e-mail addresses is required.";
  }

  #field(field, label, hint) {
    const titles = this.mapping[field];
    const selects = [...titles, ...(titles.length ? [] : [""])].map((title, index) => this.#select(field, label, title, index));
    const free = this.columns.filter((title) => !this.#isUsed(title));
    const add =
      titles.length > 0 &&
      free.length > 0 &&
      h("button.button.quiet.small", { type: "button", onclick: () => this.#add(field) }, icon("plus"), "Add a column", h("span.visually-hidden", {}, ` to ${label}`));
    return h("div.mapping-field", { role: "group", "aria-label": label }, h("span.label", {}, label), h("div.mapping-columns", {}, ...selects, add), titles.length > 1 && h("p.hint", {}, hint));
  }

  #select(field, label, title, index) {
    const options = [h("option", { value: "" }, index ? "Remove" : "Not in this file"), ...this.columns.map((each) => h("option", { value: each, selected: each === title, disabled: each !== title && this.#isUsed(each) }, each))];
    const select = h("select", { "aria-label": index ? `${label}, column ${index + 1}` : label, onchange: () => this.#choose(field, index, select.value) }, ...options);
    return select;
  }

  #isUsed(title) {
    return Object.values(this.mapping).some((titles) => titles.includes(title));
  }

  #choose(field, index, title) {
    if (title) this.mapping[field][index] = title;
    else this.mapping[field].splice(index, 1);
    this.#drawFields();
    const selects = this.fields.children[FIELDS.findIndex(([name]) => name === field)].querySelectorAll("select");
    selects[Math.min(index, selects.length - 1)].focus();
    this.chosen(this.mapping);
  }

  #add(field) {
    this.mapping[field].push(this.columns.find((title) => !this.#isUsed(title)));
    this.#choose(field, this.mapping[field].length - 1, this.mapping[field].at(-1));
  }
}
