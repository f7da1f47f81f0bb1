// The dialog for a message to several people: who they are is chosen among those known here, or named by their codes.
import { $, avatar, h, reconcile } from "./dom.js";

const MOST = 100; // recipients of one message
const SHOWN = 100; // people listed at once; the field narrows them

export class SeveralView {
  #chosen = new Set();

  constructor(store, { send }) {
    this.store = store;
    this.send = send;
    this.dialog = $("several-dialog");
    $("several").addEventListener("click", () => this.#open());
    $("several-close").addEventListener("click", () => this.dialog.close());
    $("several-cancel").addEventListener("click", () => this.dialog.close());
    $("several-find").addEventListener("input", () => this.#draw());
    $("several-find").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#add();
    });
    $("several-add").addEventListener("click", () => this.#add());
    $("several-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    store.addEventListener("changed", ({ detail }) => this.dialog.open && detail.part !== "thread" && this.#draw());
  }

  #open() {
    this.#complain("");
    this.#draw();
    this.dialog.showModal();
    $("several-find").focus();
  }

  // By their names, so that none moves while one chooses; the chosen stay in sight whatever is looked for.
  #people() {
    const asked = $("several-find").value.trim().toLowerCase();
    const others = [...this.store.people.values()].filter(({ usercode }) => usercode !== this.store.me.usercode);
    const fits = ({ usercode, username }) => username.toLowerCase().includes(asked) || usercode.toLowerCase() === asked;
    const byName = (a, b) => a.username.localeCompare(b.username);
    const chosen = others.filter(({ usercode }) => this.#chosen.has(usercode));
    const found = others.filter((person) => !this.#chosen.has(person.usercode) && fits(person)).sort(byName);
    return { found, listed: [...chosen, ...found.slice(0, SHOWN)].sort(byName) };
  }

  #draw() {
    reconcile($("several-people"), this.#people().listed, (person) => {
      const chosen = this.#chosen.has(person.usercode);
      const online = this.store.online.has(person.usercode);
      return [person.usercode, JSON.stringify([person.username, person.image, online, chosen]), () => this.#choice(person, online, chosen)];
    });
    const count = this.#chosen.size;
    $("several-count").textContent = count === 0 ? "Nobody is chosen yet." : count === 1 ? "One person is chosen." : `${count} people are chosen.`;
  }

  #choice(person, online, checked) {
    const change = ({ target }) => {
      this.#chosen[target.checked ? "add" : "delete"](person.usercode);
      this.#complain("");
      this.#draw();
    };
    const box = h("input", { type: "checkbox", checked, onchange: change, "data-focus": "choice" });
    return h("li", {}, h("label", {}, box, avatar(person, "", online), h("span.name", {}, person.username), h("span.visually-hidden", {}, online ? ", online" : "")));
  }

  async #add() {
    const code = $("several-find").value.trim().toUpperCase();
    if (!code) return;
    const { found } = this.#people();
    try {
      const person = found.length === 1 ? found[0] : await this.store.find(code);
      if (person.usercode !== this.store.me.usercode) this.#chosen.add(person.usercode);
      $("several-find").value = "";
      this.#complain("");
    } catch (error) {
      this.#complain(error.status === 404 ? `Nobody has the code ${code}.` : error.message, "several-find");
    }
    this.#draw();
  }

  #submit() {
    const body = $("several-body").value.trim();
    if (!this.#chosen.size) return this.#complain("Choose whom to write to.", "several-find");
    if (this.#chosen.size > MOST) return this.#complain(`A message goes to ${MOST} people at most.`, "several-find");
    if (!body) return this.#complain("Write something first.", "several-body");
    this.send(body, [...this.#chosen]);
    this.#chosen.clear();
    $("several-body").value = $("several-find").value = "";
    this.dialog.close();
  }

  #complain(words, field) {
    for (const each of ["several-find", "several-body"]) $(each).removeAttribute("aria-invalid");
    $("several-error").textContent = words;
    if (!field) return;
    $(field).setAttribute("aria-invalid", "true");
    $(field).focus();
  }
}
