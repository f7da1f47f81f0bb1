// The search in the left pane. It finds people by name or code, and messages by their text.
import { $, avatar, clock, focusLater, h, icon, reconcile } from "../atrium/dom.js";
import { fold, matches } from "../atrium/people.js";
import { NetworkError, atrium, nextQuery } from "../atrium/site.js";
import { excerpt } from "./excerpt.js";
import { loadWhileScrolling, moveWithArrows } from "./lists.js";
import { DELETED, EVERYONE } from "./store.js";

const PAUSE = 200; // milliseconds after a key until messages are searched
const PAGE = 30;
const MOST_PEOPLE = 20;

export class SearchView {
  query = "";
  #messages = [];
  #next = null; // the query for the next page
  #failed = false;
  #timer = 0;
  #request = null;
  #ready = Promise.resolve(); // until the messages of the query are shown

  // `open(code, message)` opens a conversation, at a message if there is one; `find(code)` opens that of a stranger.
  // `searched(text)` is called when the user has changed the text.
  constructor(store, { open, find, searched }) {
    this.store = store;
    this.open = open;
    this.find = find;
    this.searched = searched;
    this.current = null; // "CODE/1042": the message that is shown
    this.field = $("search");
    this.field.addEventListener("input", () => this.#typed());
    this.field.addEventListener("keydown", (event) => this.#key(event));
    $("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#openFirst();
    });
    $("found").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault(); // stay in the conversation
      this.field.focus();
    });
    moveWithArrows($("found"), () => this.field.focus());
    loadWhileScrolling($("more-found"), () => this.#loadMore());
    store.addEventListener("changed", ({ detail }) => ["people", "presence"].includes(detail.part) && this.isOpen && this.draw());
  }

  get isOpen() {
    return this.query !== "";
  }

  // Show the results for `query`; without one, the conversations.
  show(query) {
    if (this.field.value.trim() !== query) this.field.value = query;
    this.showError("");
    if (query === this.query) return;
    const opens = !this.isOpen;
    this.query = query;
    this.#request?.abort();
    clearTimeout(this.#timer);
    this.#messages = [];
    this.#next = null;
    $("found").hidden = !query;
    $("browse").hidden = Boolean(query);
    if (!query) return;
    if (opens) this.store.loadPeople().catch(() => {}); // known people are found nevertheless
    this.#say("Searching…");
    this.draw();
    this.#ready = new Promise((resolve) => (this.#timer = setTimeout(() => this.#search().then(resolve), PAUSE)));
  }

  // Search again what could not be searched without a connection.
  retry() {
    if (this.#failed) this.#search();
  }

  // Focus the message that was opened.
  focus() {
    const row = [...$("found-messages").children].find(({ dataset }) => dataset.key === this.current);
    (row?.querySelector("button") ?? this.field).focus();
  }

  showError(text) {
    $("search-error").textContent = text;
    if (text) this.field.setAttribute("aria-invalid", "true");
    else this.field.removeAttribute("aria-invalid");
  }

  // A message has a new text, or was deleted.
  update({ id, body }) {
    if (!this.#messages.some((each) => each.id === id)) return;
    this.#messages = this.#messages.flatMap((each) => (each.id !== id ? [each] : body ? [{ ...each, body }] : []));
    this.draw();
  }

  #typed() {
    this.searched(this.field.value.trim());
  }

  #key(event) {
    if (event.key === "ArrowDown" && this.isOpen) {
      event.preventDefault();
      $("found").querySelector("li button")?.focus();
    } else if (event.key === "Escape" && this.field.value) {
      event.preventDefault(); // stay in the conversation
      this.field.value = "";
      this.#typed();
    }
  }

  // --- Finding ------------------------------------------------------------------------------------------------------

  async #search() {
    this.#request?.abort();
    this.#request = new AbortController();
    const query = this.query;
    try {
      const { results, next } = await this.#fetch({ search: query, page_size: PAGE });
      if (query !== this.query) return;
      this.#failed = false;
      this.#messages = results;
      this.#next = next;
      this.draw();
      const count = `${results.length}${next ? " or more" : ""} message${results.length === 1 && !next ? "" : "s"}`;
      this.#say(results.length ? count : `No message contains “${query}”.`);
    } catch (error) {
      if (error.name === "AbortError" || query !== this.query) return;
      this.#failed = error instanceof NetworkError;
      this.#say(`Messages could not be searched. ${error.message}`);
    }
  }

  async #loadMore() {
    if (!this.#next) return;
    const query = this.query;
    const { results, next } = await this.#fetch(this.#next);
    if (query !== this.query) return;
    this.#messages = [...this.#messages, ...results];
    this.#next = next;
    this.draw();
  }

  async #fetch(query) {
    const page = await atrium.get("/messages/", { query, signal: this.#request.signal });
    return { results: page.results.filter((each) => !each.deleted_at), next: nextQuery(page) };
  }

  // Known people whose name contains the words, or who have the code; names that begin with the text come first.
  get #people() {
    const begins = ({ username }) => fold(username).startsWith(fold(this.query));
    return [...this.store.people.values()]
      .filter((each) => matches(each.username, this.query) || each.usercode === this.query.toUpperCase())
      .sort((a, b) => begins(b) - begins(a) || a.username.localeCompare(b.username))
      .slice(0, MOST_PEOPLE);
  }

  // The text as a code, unless it is that of a known person.
  get #strangersCode() {
    const code = this.query.toUpperCase();
    return /^[A-Z0-9]{6}$/.test(code) && !this.store.people.has(code) ? code : null;
  }

  // Enter opens the first person or message. A word of six letters is a code only if nothing else was found.
  async #openFirst() {
    const query = this.query;
    if (!query) return;
    const [person] = this.#people;
    const code = this.#strangersCode;
    if (person) return this.open(person.usercode);
    if (code && /\d/.test(code)) return this.find(code);
    const focus = focusLater();
    await this.#ready;
    if (query !== this.query) return;
    if (this.#messages.length) focus($("found-messages").querySelector("button"));
    else if (code) this.find(code);
  }

  #say(text) {
    if ($("found-status").textContent !== text) $("found-status").textContent = text;
  }

  // --- Drawing ------------------------------------------------------------------------------------------------------

  draw() {
    const people = this.#people;
    const code = this.#strangersCode;
    $("found-people-part").hidden = !people.length && !code;
    reconcile($("found-people"), [...people, ...(code ? [{ code }] : [])], (row) => {
      if (row.code) return [`code ${code}`, "", () => this.#stranger(code)];
      const online = this.store.online.has(row.usercode);
      return [row.usercode, JSON.stringify([row, online]), () => this.#person(row, online)];
    });
    reconcile($("found-messages"), this.#messages, (message) => {
      const code = this.#threadOf(message);
      const key = `${code}/${message.id}`;
      return [key, JSON.stringify([this.query, message.body, key === this.current]), () => this.#message(message, code, key === this.current)];
    });
    $("more-found").hidden = !this.#next;
  }

  #person(person, online) {
    const name = person.usercode === this.store.me.usercode ? "You" : person.username;
    return row({ onclick: () => this.open(person.usercode) }, avatar(person, "", online), name, null, person.usercode);
  }

  #stranger(code) {
    const symbol = h("span.avatar", { "aria-hidden": "true" }, icon("search"));
    return row({ onclick: () => this.find(code) }, symbol, `Find the user with the code ${code}`, null, null);
  }

  #message(message, code, isCurrent) {
    const { me } = this.store;
    const mine = message.sender?.usercode === me.usercode;
    const names = message.recipients.map((each) => each.username).join(", ");
    const name = message.broadcast ? "Everyone online" : code === me.usercode ? "You" : code === DELETED ? "Deleted accounts" : mine ? names || "A deleted account" : message.sender.username;
    const sender = mine ? "You: " : message.broadcast ? `${message.sender?.username ?? "A deleted account"}: ` : "";
    const text = excerpt(message.body, this.query).map((part) => (typeof part === "string" ? part : h("mark", {}, part.found)));
    const when = h("time.muted.small", { dateTime: message.created_at, title: clock.full(message.created_at) }, clock.short(message.created_at));
    const symbol = message.broadcast
      ? h("span.avatar.everyone", { "aria-hidden": "true" }, icon("broadcast"))
      : avatar(this.store.people.get(code) ?? { username: name });
    const properties = { onclick: () => this.open(code, message.id), disabled: !code, "aria-current": isCurrent ? "true" : null };
    return row(properties, symbol, name, when, h("span", { dir: "auto" }, sender, ...text));
  }

  // The conversation that contains a message; none for a message of mine whose recipients have deleted their accounts.
  #threadOf({ sender, broadcast, recipients }) {
    if (broadcast) return EVERYONE;
    if (sender?.usercode !== this.store.me.usercode) return sender?.usercode ?? DELETED;
    return recipients[0]?.usercode ?? null;
  }
}

function row(properties, picture, title, when, line) {
  const words = h("span.what", {}, h("span.top", {}, h("span.name", {}, title), when), line && h("span.line.muted", {}, line));
  return h("li", {}, h("button.conversation.result", { type: "button", "data-focus": "b", ...properties }, picture, words));
}
