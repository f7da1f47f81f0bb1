// The dialog that shares a note: who sees it, add somebody by e-mail or usercode, change a role, remove, leave.
import { avatar, focusLater, h, icon, reconcile } from "../atrium/dom.js";
import { Loader, atrium } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";

const PEOPLE = "/notes/{id}/collaborators/";
const PERSON = "/notes/{id}/collaborators/{usercode}/";
const ROLES = [["editor", "Can edit"], ["viewer", "Can view"]];
const roleSelect = (value, properties) => h("select", properties, ...ROLES.map(([role, text]) => h("option", { value: role, selected: role === value }, text)));

// `changed()` is called after each change; `leave()` when the user leaves a note of somebody else.
export function shareDialog(note, { me, changed, leave }) {
  const isOwner = note.role === "owner";
  const { id } = note;
  let people = note.collaborators;

  const list = h("ul.lines.people-rows", { "aria-label": "People with access" });
  const who = h("input", { type: "text", autocomplete: "off", spellcheck: false, placeholder: "E-mail address or code", "aria-label": "E-mail address or code", "aria-describedby": "share-error" });
  const role = roleSelect("editor", { "aria-label": "Role" });
  const error = h("p.errors", { id: "share-error", role: "alert" });
  const form = h("form.stack.tight", { noValidate: true }, h("div.find-row", {}, who, role, h("button.button", { type: "submit" }, "Share")), error);
  const close = h("button.button.quiet.icon-only", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  const leaving = isOwner ? null : h("p", {}, h("button.button.secondary.small", { type: "button", onclick: () => (dialog.close(), leave()) }, "Leave this note"));
  const dialog = h("dialog.plain", { "aria-labelledby": "share-head" }, h("div.dialog-head", {}, h("h2", { id: "share-head" }, isOwner ? "Share note" : "Shared note"), close), isOwner && form, list, leaving);

  const line = (person, about, ...controls) => h("li.find-row", {}, avatar(person, "small"), h("span.grow", {}, person.username, about && h("span.muted.small", {}, ` ${about}`)), ...controls);
  const row = (person) => {
    if (person === note.owner) return line(person, person.usercode === me ? "you, the owner" : "owner");
    if (!isOwner) return line(person, person.usercode === me ? `you, ${person.role}` : person.role);
    const choice = roleSelect(person.role, { "aria-label": `Role of ${person.username}`, "data-focus": "role" });
    choice.addEventListener("change", async () => {
      const done = await attempt(() => atrium.patch(PERSON, { path: { id, usercode: person.usercode }, body: { role: choice.value } }), `${person.username} ${choice.value === "editor" ? "can edit" : "can view"} the note.`);
      if (!done) choice.value = person.role;
    });
    const remove = h("button.button.quiet.icon-only.small", { type: "button", "aria-label": `Remove ${person.username}` }, icon("close"));
    remove.addEventListener("click", () => removePerson(person));
    return line(person, person.usercode, choice, remove);
  };
  // The focus stays where it is.
  const draw = () => reconcile(list, [note.owner, ...people], (person) => [person.usercode, person.role ?? "owner", () => row(person)]);

  const loader = new Loader(
    () => atrium.get(PEOPLE, { path: { id }, query: { page_size: 200 } }),
    ({ results }) => {
      people = results;
      draw();
      changed();
    },
  );
  const attempt = async (work, done) => {
    error.textContent = "";
    try {
      await work();
      if (done) toast(done, "ok");
    } catch (problem) {
      error.textContent = problem.message;
    }
    await loader.run().catch(() => {});
    return !error.textContent;
  };
  const add = (body) => atrium.post(PEOPLE, { path: { id }, body });
  const removeAccess = ({ usercode }) => atrium.delete(PERSON, { path: { id, usercode } });
  const removePerson = async (person) => {
    if (!(await attempt(() => removeAccess(person)))) return;
    undoable(`${person.username} was removed.`, () => attempt(() => add({ usercode: person.usercode, role: person.role })));
  };
  const undoable = (text, undo) => toast(text, "info", 7, { label: "Undo", run: undo });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = who.value.trim();
    if (!text) return who.focus();
    const focus = focusLater();
    const isEmail = text.includes("@");
    let person;
    const done = await attempt(async () => {
      person = await add({ [isEmail ? "email" : "usercode"]: isEmail ? text : text.toUpperCase(), role: role.value });
    });
    who.setAttribute("aria-invalid", String(!done));
    if (done) {
      undoable(`Shared with ${text}.`, () => attempt(() => removeAccess(person)));
      if (who.value.trim() === text) who.value = "";
    }
    focus(who);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  draw();
  dialog.showModal();
  loader.run().catch(() => {}); // the list in the note may be old
}
