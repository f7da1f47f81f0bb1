// Keys of the page, and the dialog that lists them. No key works while the user types or a dialog is open.
import { h, icon } from "../atrium/dom.js";

const KEYS = [
  ["n", "New note"],
  ["l", "New checklist"],
  ["/", "Search notes"],
  ["Ctrl K", "Search everything"],
  ["j k", "Next and previous note"],
  ["Enter", "Open the note"],
  ["x", "Select the note"],
  ["e", "Archive"],
  ["#", "Delete"],
  ["p", "Pin"],
  ["Esc", "Clear the selection"],
  ["?", "This list"],
];

// `commands` maps a key to a function.
export function watchKeys(commands) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (document.querySelector("dialog[open], [popover]:popover-open")) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
    const command = commands[event.key];
    if (!command) return;
    event.preventDefault();
    command();
  });
}

export function showKeys() {
  const close = h("button.button.quiet.icon-only", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  const rows = KEYS.flatMap(([keys, text]) => [h("dt", {}, ...keys.split(" ").flatMap((key) => [h("kbd", {}, key), " "])), h("dd", {}, text)]);
  const list = "In a checklist: Enter adds an item, Alt with arrow keys moves it, Ctrl with ] or [ indents it.";
  const dialog = h("dialog.plain", { "aria-labelledby": "keys-head" }, h("div.dialog-head", {}, h("h2", { id: "keys-head" }, "Keyboard shortcuts"), close), h("dl.facts.keys", {}, ...rows), h("p.small.muted", {}, list));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
