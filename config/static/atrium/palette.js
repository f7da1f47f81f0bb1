// Search everything: pages, actions, notes, people, contacts and trends. Loaded when it is first opened (shell.js).
import { h, icon } from "./dom.js";
import { knownPeople, matches } from "./people.js";
import { atrium } from "./site.js";
import { chooseTheme } from "./theme-menu.js";

const PAUSE = 150; // milliseconds after a key until the search starts
const EACH = 5; // results of a kind
const isSignedIn = Boolean(document.documentElement.dataset.user);
const isStaff = Boolean(document.querySelector('.site-nav a[href="/admin/"]'));

const page = (title, href, symbol, words = "") => ({ title, href, symbol, words, kind: "Page" });
const PAGES = [
  page("Home", "/", "home"),
  page("Notes", "/notes/", "note"),
  page("New note", "/notes/?new=text", "plus", "take write create"),
  page("New checklist", "/notes/?new=list", "checklist", "take write create todo"),
  page("Reminders", "/notes/?view=reminders", "bell"),
  page("Archived notes", "/notes/?view=archive", "archive"),
  page("Trash", "/notes/?view=trash", "trash", "deleted notes"),
  page("Messages", "/messager/", "chat", "chat"),
  page("Contacts", "/contacts/", "contacts", "people"),
  page("Import contacts", "/contacts/import/", "upload", "upload sheet excel csv"),
  page("Uploads of contacts", "/contacts/uploads/", "table", "import sheet rejected"),
  page("Waiting contacts", "/contacts/waiting/", "clock", "unprocessed window"),
  page("Trends", "/trends/", "chart"),
  page("Account", "/account/", "user", "profile password settings picture"),
  page("API: Swagger", "/swagger/", "code"),
  page("API: Redoc", "/redoc/", "book", "reference documentation"),
  ...(isStaff ? [page("Admin", "/admin/", "shield")] : []),
  ...["System", "Light", "Dark"].map((name) => ({
    title: `Theme: ${name.toLowerCase()}`,
    symbol: "theme",
    words: "mode colours appearance",
    kind: "Action",
    run: () => chooseTheme(name.toLowerCase()),
  })),
];

const get = async (path, query, signal) => (await atrium.get(path, { query, signal })).results;

// Each kind of result: its heading, and how it is found.
const KINDS = {
  async Notes(text, signal) {
    const found = await get("/notes/", { state: "all", page_size: 2 * EACH, search: text }, signal);
    return found.map((note) => ({
      title: note.title || note.body.slice(0, 80) || note.items[0]?.text || "Untitled note",
      about: note.trashed_at ? "Trash" : note.archived ? "Archive" : note.labels.map((label) => label.name).join(", "),
      href: `/notes/${note.id}/`,
      symbol: "note",
    }));
  },
  async People(text, signal) {
    const known = (await knownPeople()).filter((each) => matches(`${each.username} ${each.usercode}`, text));
    const code = text.toUpperCase();
    if (!known.length && /^(?=.*\d)[A-Z0-9]{6}$/.test(code)) {
      const person = await atrium.get("/people/{usercode}/", { path: { usercode: code }, signal }).catch(() => null);
      if (person) known.push(person);
    }
    return known.map((each) => ({ title: each.username, about: each.usercode, href: `/messager/#${each.usercode}`, symbol: "chat" }));
  },
  async Contacts(text, signal) {
    const found = await get("/contacts/", { page_size: EACH, search: text }, signal);
    return found.map((each) => ({
      title: each.name || each.email_address || each.phone_number,
      about: each.name ? each.email_address || each.phone_number : "",
      href: `/contacts/?contact=${each.id}`,
      symbol: "contacts",
    }));
  },
  async Trends(text, signal) {
    const found = await get("/trends/", { page_size: EACH, search: text }, signal);
    return found.map((each) => ({ title: each.macrotrend, about: each.megatrend, href: `/trends/${each.id}/`, symbol: "chart" }));
  },
};
const SIGNED_IN_ONLY = ["Notes", "People", "Contacts"];

class Palette {
  #results = [];
  #chosen = 0;
  #timer = 0;
  #search = null;

  constructor() {
    this.input = h("input", {
      type: "text", enterKeyHint: "go", autocomplete: "off", spellcheck: false, placeholder: isSignedIn ? "Search notes, people, contacts, trends and pages" : "Search trends and pages", role: "combobox",
      "aria-label": "Search everything", "aria-expanded": "true", "aria-controls": "palette-found", "aria-autocomplete": "list",
    });
    this.found = h("div.found", { id: "palette-found", role: "listbox", "aria-label": "Results", tabIndex: -1 });
    this.status = h("p.status", { role: "status" });
    this.dialog = h("dialog.palette", { "aria-label": "Search everything" }, h("div.search", {}, icon("search"), this.input), this.found, this.status);
    document.body.append(this.dialog);
    this.input.addEventListener("input", () => this.#typed());
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => this.#search?.abort());
  }

  open() {
    if (this.dialog.open) return this.dialog.close();
    this.input.value = "";
    this.dialog.showModal();
    this.input.focus();
    this.#typed();
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#search?.abort();
    const text = this.input.value.trim();
    const pages = PAGES.filter((each) => !text || matches(`${each.title} ${each.words}`, text));
    this.#show({ Pages: pages });
    if (!text) return this.#say("↑ ↓ to choose, Enter to open, Esc to close");
    this.#say("Searching…");
    this.#timer = setTimeout(() => this.#find(text, pages), PAUSE);
  }

  async #find(text, pages) {
    this.#search = new AbortController();
    const { signal } = this.#search;
    const kinds = Object.keys(KINDS).filter((kind) => isSignedIn || !SIGNED_IN_ONLY.includes(kind));
    const groups = { Pages: pages };
    const failed = [];
    await Promise.all(
      kinds.map(async (kind) => {
        try {
          groups[kind] = (await KINDS[kind](text, signal)).slice(0, EACH);
        } catch (error) {
          if (error.name !== "AbortError") failed.push(kind.toLowerCase());
        }
        if (!signal.aborted) this.#show(groups);
      }),
    );
    if (signal.aborted) return;
    const total = this.#results.length;
    this.#say(failed.length ? `Could not search ${failed.join(", ")}.` : total ? `${total} result${total === 1 ? "" : "s"}` : `Nothing found for “${text}”.`);
  }

  #say(text) {
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  // Show the groups, with pages after what was found. The chosen result stays chosen if it is still there.
  #show(groups) {
    const before = this.#results[this.#chosen];
    this.#results = [];
    const boxes = ["Notes", "People", "Contacts", "Trends", "Pages"].filter((name) => groups[name]?.length).map((name) => {
      const id = `palette-${name.toLowerCase()}`;
      const rows = groups[name].map((result) => {
        const row = h("div", { role: "option", id: `palette-${this.#results.length}` }, icon(result.symbol), h("span", {}, result.title), result.about && h("small", {}, result.about));
        row.addEventListener("click", (event) => this.#choose(result, event.ctrlKey || event.metaKey));
        this.#results.push(Object.assign(result, { row }));
        return row;
      });
      return h("div", { role: "group", "aria-labelledby": id }, h("h2", { id, role: "presentation" }, name), ...rows);
    });
    this.found.replaceChildren(...boxes);
    const kept = before && this.#moved ? this.#results.findIndex((each) => (each.href ?? each.title) === (before.href ?? before.title)) : 0;
    this.#mark(Math.max(0, kept));
  }

  #moved = false; // whether the user has moved the choice since typing

  #mark(index) {
    this.#results[this.#chosen]?.row.setAttribute("aria-selected", "false");
    this.#chosen = index;
    for (const { row } of this.#results) row.setAttribute("aria-selected", "false");
    const row = this.#results[index]?.row;
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
    if (row) this.input.setAttribute("aria-activedescendant", row.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    const last = this.#results.length - 1;
    const moves = { ArrowDown: this.#chosen >= last ? 0 : this.#chosen + 1, ArrowUp: this.#chosen <= 0 ? last : this.#chosen - 1 };
    if (event.key in moves && last >= 0) {
      event.preventDefault();
      this.#moved = true;
      this.#mark(moves[event.key]);
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      const result = this.#results[this.#chosen];
      if (result) this.#choose(result, event.ctrlKey || event.metaKey);
    } else {
      this.#moved = false;
    }
  }

  #choose({ href, run }, inNewTab) {
    this.dialog.close();
    if (run) return run();
    if (inNewTab) return open(href, "_blank");
    location.assign(href);
  }
}

export const palette = new Palette();
