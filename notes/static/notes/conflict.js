// Both versions of a note side by side, when two people changed the same text. Nothing is lost whatever the user chooses:
// the version that is not kept becomes a note of its own, unless the user says that it is not needed.
import { h } from "../atrium/dom.js";
import { contentOf, same } from "./merge.js";

const NAMES = { title: "Title", body: "Text", items: "Checklist", color: "Colour" };

export function conflictDialog(draft, { keepAsCopy }) {
  const theirs = contentOf(draft.theirs);
  const mine = draft.content;
  const differs = Object.keys(NAMES).filter((field) => !same(mine[field], theirs[field]));
  const version = (name, content) =>
    h(
      "section.version",
      { "aria-label": name },
      h("h3", {}, name),
      ...differs.map((field) => h("div", {}, h("p.small.muted", {}, NAMES[field]), field === "items" ? checklist(content.items) : h("p.text", {}, content[field] || "—"))),
    );
  const choose = (content) => {
    dialog.close();
    draft.resolve(content);
  };
  const button = (kind, text, onclick) => h(`button.button.${kind}`, { type: "button", onclick }, text);
  const dialog = h(
    "dialog.conflict",
    { "aria-labelledby": "conflict-head" },
    h("div.dialog-head", {}, h("h2", { id: "conflict-head" }, "This note was changed twice")),
    h("p", {}, "Somebody else saved the note while you were writing. Choose what it contains. Your version stays in this browser until you choose."),
    h("div.versions", {}, version("Your version", mine), version("Their version", theirs)),
    h(
      "div.dialog-actions",
      {},
      button("secondary", "Keep theirs", () => choose(theirs)),
      button("secondary", "Keep mine", () => choose(mine)),
      button("primary", "Keep both", async () => {
        await keepAsCopy(mine);
        choose(theirs);
      }),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

const checklist = (items) => h("ul.text", {}, ...items.map((item) => h("li", {}, `${item.checked ? "☑" : "☐"} ${item.text}`)));
