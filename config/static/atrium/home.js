// The home page. Each section loads by itself, again when an event says that it has changed, and reports its own error.
import { $, avatar, clock, h, icon } from "./dom.js";
import { live } from "./live.js";
import { Loader, atrium } from "./site.js";

const SHOWN = 5; // rows of a section
const RUNNING = ["queued", "processing", "undoing"];
const STATUS = {
  queued: ["Waiting", "info"],
  processing: ["Running", "info"],
  undoing: ["Undoing", "info"],
  completed: ["Done", "ok"],
  completed_with_errors: ["Done, with errors", "warn"],
  failed: ["Failed", "danger"],
  undone: ["Undone", ""],
};

const lines = (rows) => h("ul.lines", {}, ...rows.map((row) => h("li", {}, row)));
const empty = (...text) => h("p.muted", {}, ...text);
const title = (note) => note.title || note.body.slice(0, 60) || note.items[0]?.text || "Untitled note";
const count = (number, word) => `${number.toLocaleString()} ${word}${number === 1 ? "" : "s"}`;

const sections = {
  async pinned() {
    const { results } = await atrium.get("/notes/", { query: { pinned: true, page_size: 12 } });
    if (!results.length) return empty("Pin a note to find it here.");
    const cards = results.map((note) =>
      h(
        "li.card.link",
        {},
        h("h3", {}, h("a.stretch", { href: `/notes/${note.id}/` }, title(note))),
        note.title && note.body && h("p.muted.small", {}, note.body.slice(0, 300)),
        note.items.length > 0 && h("p.muted.small", {}, `${note.items.filter((item) => item.checked).length} of ${count(note.items.length, "item")} done`),
      ),
    );
    return h("ul.grid.pinned", {}, ...cards);
  },

  async reminders() {
    const { results } = await atrium.get("/notes/", { query: { has_reminder: true, state: "all", page_size: 200 } });
    const next = results.filter((note) => !note.trashed_at).sort((a, b) => Date.parse(a.remind_at) - Date.parse(b.remind_at));
    if (!next.length) return empty("No reminders.");
    return lines(
      next.slice(0, SHOWN).map((note) =>
        h("a", { href: `/notes/${note.id}/` }, icon("bell"), h("span.what", {}, h("span.title", {}, title(note)), h("time.muted.small", { dateTime: note.remind_at }, clock.soon(note.remind_at)))),
      ),
    );
  },

  async messages() {
    const { results } = await atrium.get("/conversations/", { query: { page_size: 50 } });
    const unread = results.filter((each) => each.unread);
    if (!unread.length) return empty("No unread messages.");
    return lines(
      unread.slice(0, SHOWN).map(({ person, last_message, unread: number }) =>
        h(
          "a",
          { href: `/messager/#${person.usercode}` },
          avatar(person, "small"),
          h("span.what", {}, h("span.title", {}, person.username), h("span.muted.small", {}, last_message.body || "Deleted message")),
          h("span.count", {}, String(number), h("span.visually-hidden", {}, " unread")),
        ),
      ),
    );
  },

  async uploads() {
    const [sheets, archives] = await Promise.all(["/contacts/uploads/", "/notes/imports/"].map((path) => atrium.get(path, { query: { page_size: SHOWN } })));
    const rows = [
      ...sheets.results.map((each) => ({ ...each, href: `/contacts/uploads/${each.id}/`, total: each.total_rows, processed: each.processed_rows, unit: "row" })),
      ...archives.results.map((each) => ({ ...each, href: `/notes/?import=${each.id}`, unit: "note" })),
    ];
    rows.sort((a, b) => RUNNING.includes(b.status) - RUNNING.includes(a.status) || Date.parse(b.created_at) - Date.parse(a.created_at));
    if (!rows.length) return empty("No uploads yet.");
    if (rows.some((each) => RUNNING.includes(each.status) && each.unit === "note")) setTimeout(() => load("uploads"), 2000); // these send no events
    return lines(rows.slice(0, SHOWN).map(upload));
  },

  async trends() {
    const { results } = await atrium.get("/trends/", { query: { ordering: ["-uploaded_at"], page_size: SHOWN } });
    if (!results.length) return empty("No trends yet.");
    return lines(
      results.map((trend) =>
        h(
          "a",
          { href: `/trends/${trend.id}/` },
          h("span.what", {}, h("span.title", {}, trend.macrotrend), h("span.muted.small", {}, trend.megatrend)),
          h("time.muted.small", { dateTime: trend.uploaded_at }, clock.short(trend.uploaded_at)),
        ),
      ),
    );
  },
};

function upload({ name, href, status, total, processed, unit }) {
  const [text, kind] = STATUS[status] ?? [status, ""];
  const progress = RUNNING.includes(status) && total > 0;
  return h(
    "a",
    { href },
    h(
      "span.what",
      {},
      h("span.title", {}, name),
      progress ? h("progress", { max: total, value: processed, "aria-label": `Progress of ${name}` }) : h("span.muted.small", {}, count(total, unit)),
    ),
    h(`span.badge${kind && `.${kind}`}`, {}, text),
  );
}

const loaders = Object.fromEntries(Object.entries(sections).map(([name, build]) => [name, new Loader(build, (content) => show(name, content))]));

function show(name, content) {
  $(name).replaceChildren(content);
  $(name).removeAttribute("aria-busy");
}

async function load(name) {
  try {
    await loaders[name].run();
  } catch (error) {
    show(name, h("p.row", {}, h("span.muted", {}, error.message), h("button.button.secondary.small", { type: "button", onclick: () => load(name) }, "Try again")));
  }
}

let timer = 0;
const stale = new Set();
function loadSoon(...names) {
  for (const name of names) stale.add(name);
  timer ||= setTimeout(() => {
    timer = 0;
    for (const name of stale) load(name);
    stale.clear();
  }, 300);
}

for (const kind of ["message", "edited", "read", "deleted", "unread"]) live.addEventListener(kind, () => loadSoon("messages"));
live.addEventListener("note", () => loadSoon("pinned", "reminders"));
live.addEventListener("upload", () => loadSoon("uploads"));
live.addEventListener("resync", () => loadSoon(...Object.keys(sections)));
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && loadSoon(...Object.keys(sections)));

for (const name of Object.keys(sections)) load(name);
