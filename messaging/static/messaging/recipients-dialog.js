// The dialog for a message to several people. Recipients are chosen from known people or entered by usercode.
import { $, avatar, focusLater, h, reconcile } from "../atrium/dom.js";

const MAX_RECIPIENTS = 100;
const MAX_LISTED = 100; // people shown at once; the search field narrows the list

export class RecipientsDialog {
  #chosen = new Set();

  constructor(store, { send }) {
    this.store = store;
    this.send = send;
    this.dialog = $("recipients-dialog");
    $("open-recipients").addEventListener("click", () => this.#open());
    $("recipients-close").addEventListener("click", () => this.dialog.close());
    $("recipients-cancel").addEventListener("click", () => this.dialog.close());
    $("recipients-find").addEventListener("input", () => this.#draw());
    $("recipients-find").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#add();
    });
    $("recipients-add").addEventListener("click", () => this.#add());
    $("recipients-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    store.addEventListener("changed", ({ detail }) => this.dialog.open && detail.part !== "thread" && this.#draw());
  }

  #open() {
    this.#showError("");
    this.#draw();
    this.dialog.showModal();
    this.store.loadPeople().catch(() => {}); // the people who are known already can be chosen
    $("recipients-find").focus();
  }

  // Sorted by name, so that nobody moves while the user chooses. Chosen people stay visible during a search.
  #people() {
    const query = $("recipients-find").value.trim().toLowerCase();
    const others = [...this.store.people.values()].filter(({ usercode }) => usercode !== this.store.me.usercode);
    const matches = ({ usercode, username }) => username.toLowerCase().includes(query) || usercode.toLowerCase() === query;
    const byName = (a, b) => a.username.localeCompare(b.username);
    const chosen = others.filter(({ usercode }) => this.#chosen.has(usercode));
    const found = others.filter((person) => !this.#chosen.has(person.usercode) && matches(person)).sort(byName);
    return { found, listed: [...chosen, ...found.slice(0, MAX_LISTED)].sort(byName) };
  }

  #draw() {
    reconcile($("recipients-people"), this.#people().listed, (person) => {
      const chosen = this.#chosen.has(person.usercode);
      const online = this.store.online.has(person.usercode);
      return [person.usercode, JSON.stringify([person.username, person.image, online, chosen]), () => this.#choice(person, online, chosen)];
    });
    const count = this.#chosen.size;
    $("recipients-count").textContent = count === 0 ? "No recipients yet." : count === 1 ? "1 recipient" : `${count} recipients`;
  }

  #choice(person, online, checked) {
    const change = ({ target }) => {
      this.#chosen[target.checked ? "add" : "delete"](person.usercode);
      this.#showError("");
      this.#draw();
    };
    const box = h("input", { type: "checkbox", checked, onchange: change, "data-focus": "choice" });
    return h("li", {}, h("label", {}, box, avatar(person, "", online), h("span.name", {}, person.username), h("span.visually-hidden", {}, online ? ", online" : "")));
  }

  async #add() {
    const code = $("recipients-find").value.trim().toUpperCase();
    if (!code) return;
    const { found } = this.#people();
    const focus = focusLater();
    try {
      const person = found.length === 1 ? found[0] : await this.store.fetchPerson(code);
      if (person.usercode !== this.store.me.usercode) this.#chosen.add(person.usercode);
      if ($("recipients-find").value.trim().toUpperCase() === code) $("recipients-find").value = "";
      this.#showError("");
    } catch (error) {
      this.#showError(error.status === 404 ? `No user has the code ${code}.` : error.message, "recipients-find", focus);
    }
    this.#draw();
  }

  #submit() {
    const body = $("recipients-body").value.trim();
    if (!this.#chosen.size) return this.#showError("Choose at least one recipient.", "recipients-find");
    if (this.#chosen.size > MAX_RECIPIENTS) return this.#showError(`A message can have at most ${MAX_RECIPIENTS} recipients.`, "recipients-find");
    if (!body) return this.#showError("Enter a message.", "recipients-body");
    this.send(body, [...this.#chosen]);
    this.#chosen.clear();
    $("recipients-body").value = $("recipients-find").value = "";
    this.dialog.close();
  }

  #showError(text, field, focus = focusLater()) {
    for (const each of ["recipients-find", "recipients-body"]) $(each).removeAttribute("aria-invalid");
    $("recipients-error").textContent = text;
    if (!field) return;
    $(field).setAttribute("aria-invalid", "true");
    focus($(field));
  }
}
