// Labels: choose those of notes, and edit the list.
import { focusLater, h, icon, reconcile } from "../atrium/dom.js";
import { atrium } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";
import { popup } from "./menus.js";

const MAX_NAME = 100;

export async function createLabel(store, name) {
  const label = await atrium.post("/labels/", { body: { name } });
  await store.loadLabels();
  return label;
}

// Choose labels. `state(id)` is "true", "false" or "mixed"; `choose(label, wanted)` is called for each change.
export function labelMenu(anchor, store, { state, choose }) {
  const find = h("input", { type: "text", maxLength: MAX_NAME, placeholder: "Find or create a label", "aria-label": "Find or create a label", autofocus: true });
  const list = h("ul.label-choices", { "aria-label": "Labels" });
  const draw = () => {
    const text = find.value.trim().toLowerCase();
    const found = store.labels.filter((label) => label.name.toLowerCase().includes(text));
    const rows = found.map((label) => {
      const box = h("input", { type: "checkbox", checked: state(label.id) === "true", indeterminate: state(label.id) === "mixed" });
      box.addEventListener("change", () => choose(label, box.checked));
      return h("li", {}, h("label.item", {}, box, label.name));
    });
    if (text && !found.some((label) => label.name.toLowerCase() === text)) {
      const create = h("button", { type: "button", onclick: () => add() }, icon("plus"), `Create “${find.value.trim()}”`);
      rows.push(h("li", {}, create));
    }
    if (!rows.length) rows.push(h("li.muted.small", {}, "No labels yet. Type a name to create one."));
    list.replaceChildren(...rows);
  };
  const add = async () => {
    try {
      const name = find.value.trim();
      const focus = focusLater();
      const label = await createLabel(store, name);
      await choose(label, true);
      if (find.value.trim() === name) find.value = "";
      draw();
      focus(find);
    } catch (error) {
      toast(error.message, "warn");
    }
  };
  find.addEventListener("input", draw);
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    list.querySelector("li:last-child button, input")?.click();
  });
  draw();
  return popup(anchor, "Labels", h("div.stack.tight", {}, find, list));
}

// The dialog that creates, renames and deletes labels.
export function editLabels(store) {
  const name = h("input", { type: "text", maxLength: MAX_NAME, required: true, placeholder: "New label", "aria-label": "New label" });
  const list = h("ul.lines.label-rows", { "aria-label": "Labels" });
  const create = h("form.find-row", {}, name, h("button.button.secondary", { type: "submit" }, "Create"));
  const close = h("button.button.quiet.icon-only", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  const dialog = h("dialog.plain", { "aria-labelledby": "labels-head" }, h("div.dialog-head", {}, h("h2", { id: "labels-head" }, "Labels"), close), create, list);

  const attempt = async (work) => {
    try {
      await work();
      await store.loadLabels();
      return true;
    } catch (error) {
      toast(error.message, "warn");
      return false;
    } finally {
      draw();
    }
  };
  // Rows that have not changed keep what is being typed.
  const draw = () => reconcile(list, store.labels, (label) => [String(label.id), JSON.stringify(label), () => row(label)]);
  const row = (label) => {
    const field = h("input", { type: "text", value: label.name, maxLength: MAX_NAME, "aria-label": `Name of ${label.name}`, "data-focus": "name" });
    field.addEventListener("change", () => {
      const body = { name: field.value.trim() };
      if (!body.name || body.name === label.name) return (field.value = label.name);
      attempt(async () => {
        try {
          await atrium.patch("/labels/{id}/", { path: { id: label.id }, body });
        } catch (error) {
          if (field.value.trim() === body.name) field.value = label.name;
          throw error;
        }
      });
    });
    const remove = h("button.button.quiet.icon-only.small", { type: "button", "aria-label": `Delete ${label.name}` }, icon("trash"));
    // The notes stay. Only the label is deleted, after a second click.
    remove.addEventListener("click", () => {
      if (remove.dataset.sure) return attempt(() => atrium.delete("/labels/{id}/", { path: { id: label.id } }));
      remove.dataset.sure = "yes";
      remove.classList.remove("icon-only", "quiet");
      remove.classList.add("danger");
      const where = `from ${label.note_count} note${label.note_count === 1 ? "" : "s"}`;
      remove.replaceChildren(`Delete ${where}`);
      remove.setAttribute("aria-label", `Delete ${label.name} ${where}`);
    });
    return h("li.find-row", {}, field, remove);
  };
  create.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = name.value.trim();
    name.value = "";
    if (text && !(await attempt(() => createLabel(store, text)))) name.value ||= text;
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  draw();
  dialog.showModal();
}
