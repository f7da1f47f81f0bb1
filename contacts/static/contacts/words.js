// Words and small parts that the contacts pages share.
import { $, h, icon } from "../atrium/dom.js";

export const number = (value) => value.toLocaleString();
export const count = (value, word) => `${number(value)} ${word}${value === 1 ? "" : "s"}`;

export const RUNNING = ["queued", "processing", "undoing"];

const STATUS = {
  queued: ["Waiting to start", "info"],
  processing: ["Importing", "info"],
  undoing: ["Undoing", "info"],
  completed: ["Done", "ok"],
  completed_with_errors: ["Done, with rejected rows", "warn"],
  failed: ["Failed", "danger"],
  undone: ["Undone", ""],
};

export function statusBadge(status) {
  const [text, kind] = STATUS[status] ?? [status, ""];
  return h(`span.badge${kind && `.${kind}`}`, {}, h("span.dot", { "aria-hidden": "true" }), text);
}

// A short name for each code of docs/contacts.md.
const REASONS = {
  no_phone_or_email: "No phone number and no e-mail address",
  cell_error: "A cell contains an error",
  formula_without_value: "A formula has no result",
  cell_unreadable: "A cell is damaged",
  phone_invalid: "Invalid phone number",
  phone_precision_lost: "Phone number has lost digits",
  email_invalid: "Invalid e-mail address",
  name_too_long: "Name is too long",
  too_many_marks: "Too many combining marks",
  extra_cell: "Content outside the columns",
  bad_quotes: "Quotation marks do not match",
  backlog_full: "Too many rows with this key are waiting",
};
export const reason = (code) => REASONS[code] ?? code.replaceAll("_", " ");

export function bytes(size) {
  if (size < 1000) return count(size, "byte");
  return size < 1e6 ? `${Math.round(size / 1000)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

// Show an error above the content, with a button that tries again. Without an error, remove it.
export function showProblem(error, retry = null) {
  const box = $("problem");
  box.hidden = !error;
  box.replaceChildren();
  if (!error) return;
  const again = retry && h("button.button.secondary.small", { type: "button", onclick: retry }, "Try again");
  box.append(icon("danger"), h("div", {}, error.message ?? String(error)), ...(again ? [again] : []));
}

export function showEmpty(box, symbol, text, ...actions) {
  box.hidden = false;
  box.replaceChildren(icon(symbol), h("p", {}, text), ...actions);
}

