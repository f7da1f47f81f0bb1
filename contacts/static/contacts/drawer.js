// One contact in a drawer at the side: read, correct, delete.
import { clock, focusLater, h, icon } from "../atrium/dom.js";
import { atrium } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";

const FIELDS = [
  ["name", "Name", { autocomplete: "off", maxLength: 200 }],
  ["phone_number", "Phone number", { type: "tel", autocomplete: "off" }],
  ["email_address", "E-mail address", { type: "email", autocomplete: "off", inputMode: "email" }],
];

export class Drawer {
  contact = null;
  #warned = false;

  // `saved(contact)`, `deleted(contact)` and `closed()` are called after the user did so.
  constructor({ saved, deleted, closed }) {
    Object.assign(this, { saved, deleted, closed });
    this.title = h("h2", { id: "drawer-title" });
    this.inputs = {};
    this.errors = {};
    const fields = FIELDS.map(([field, label, options]) => {
      this.inputs[field] = h("input", { id: `drawer-${field}`, name: field, type: "text", "aria-describedby": `drawer-${field}-error`, ...options });
      this.errors[field] = h("p.errors", { id: `drawer-${field}-error` });
      return h("div.field", {}, h("label", { htmlFor: `drawer-${field}` }, label), this.inputs[field], this.errors[field]);
    });
    this.facts = h("dl.facts.small");
    this.problem = h("div.alert.danger", { role: "alert", hidden: true });
    this.save = h("button.button", { type: "submit" }, "Save");
    this.links = h("div.row");
    const form = h("form.stack", { noValidate: true, onsubmit: (event) => this.#submit(event), oninput: () => this.#typed() },
      this.problem, ...fields, this.facts,
      h("div.form-actions", {}, this.save, h("button.button.secondary", { type: "button", onclick: () => this.#delete() }, icon("trash"), "Delete")),
    ); // prettier-ignore
    const close = h("button.button.quiet.icon-only", { type: "button", "aria-label": "Close", onclick: () => this.#askClose() }, icon("close"));
    this.dialog = h("dialog.drawer", { "aria-labelledby": "drawer-title" }, h("div.dialog-head", {}, this.title, close), this.links, form);
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#askClose();
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.#askClose());
    document.body.append(this.dialog);
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(contact) {
    this.contact = contact;
    this.#warned = false;
    const { name, phone_number: phone, email_address: email, accepted_at: at, upload } = contact;
    this.title.textContent = name || email || phone;
    for (const [field] of FIELDS) {
      this.inputs[field].value = contact[field];
      this.#error(field, "");
    }
    const digits = phone.replace(/[^\d+]/g, "");
    this.links.replaceChildren(
      ...(email ? [h("a.button.secondary.small", { href: `mailto:${encodeURIComponent(email.trim()).replaceAll("%40", "@")}` }, icon("mail"), "E-mail")] : []),
      ...(digits ? [h("a.button.secondary.small", { href: `tel:${digits}` }, icon("phone"), "Call")] : []),
    );
    this.facts.replaceChildren(
      h("dt", {}, "Added"), h("dd", {}, h("time", { dateTime: at }, clock.full(at))),
      h("dt", {}, "Upload"), h("dd", {}, upload ? h("a", { href: `/contacts/uploads/${upload}/` }, `Upload ${upload}`) : "The upload was deleted."),
    ); // prettier-ignore
    this.#say("");
    this.#typed();
    if (!this.dialog.open) this.dialog.showModal();
  }

  close() {
    if (this.dialog.open) this.dialog.close();
    this.contact = null;
  }

  #changes() {
    return Object.fromEntries(FIELDS.map(([field]) => [field, this.inputs[field].value]).filter(([field, value]) => value !== this.contact[field]));
  }

  #typed() {
    this.save.disabled = !Object.keys(this.#changes()).length;
    this.#warned = false;
  }

  #askClose() {
    if (Object.keys(this.#changes()).length && !this.#warned) {
      this.#warned = true;
      return this.#say("Your changes are not saved. Save them, or close again to discard them.");
    }
    this.close();
    this.closed();
  }

  async #submit(event) {
    event.preventDefault();
    const changes = this.#changes();
    if (!Object.keys(changes).length || this.save.getAttribute("aria-busy")) return;
    this.save.setAttribute("aria-busy", "true");
    this.#say("");
    for (const [field] of FIELDS) this.#error(field, "");
    const { id } = this.contact;
    const isOpen = () => this.contact?.id === id;
    const text = () => FIELDS.map(([field]) => this.inputs[field].value).join("\n");
    const sent = text();
    const focus = focusLater();
    try {
      const saved = await atrium.patch("/contacts/{id}/", { path: { id }, body: changes });
      this.saved(saved);
      toast("Saved.", "ok");
      if (!isOpen()) return;
      this.contact = saved;
      if (text() !== sent) return this.#typed(); // what was typed since is not saved yet
      this.close();
      this.closed();
    } catch (error) {
      if (!isOpen()) return toast(`Not saved: ${error.message}`, "warn");
      const known = FIELDS.filter(([field]) => error.fields?.[field]);
      for (const [field] of known) this.#error(field, error.fields[field].join(" "));
      if (known.length) focus(this.inputs[known[0][0]]);
      else this.#say(error.status === 404 ? "This contact was deleted." : error.message);
    } finally {
      this.save.removeAttribute("aria-busy");
    }
  }

  #delete() {
    const { contact } = this;
    this.close();
    this.closed();
    this.deleted(contact);
  }

  #error(field, text) {
    this.errors[field].textContent = text;
    this.inputs[field].setAttribute("aria-invalid", String(Boolean(text)));
  }

  #say(text) {
    this.problem.hidden = !text;
    this.problem.replaceChildren(icon("danger"), h("div", {}, text));
  }
}
