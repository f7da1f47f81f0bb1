// What the page shows, as it is in the address: a view, a label, filters, a search, and the open note.

export const TITLES = { notes: "Notes", reminders: "Reminders", shared: "Shared with me", archive: "Archive", trash: "Trash" };
const FILTERS = ["label", "q", "color", "kind", "reminder", "person"];
export const PAGE = 60; // notes; the server puts this page into the HTML (pages/views.py)

// Read the view from an address such as /notes/12/?view=archive&q=milk.
export function viewFrom(url) {
  const query = url.searchParams;
  const name = query.get("view") in TITLES ? query.get("view") : "notes";
  const view = { name, open: Number(/^\/notes\/(\d+)\/$/.exec(url.pathname)?.[1]) || null };
  for (const filter of FILTERS) view[filter] = query.get(filter) ?? "";
  return view;
}

export function addressOf(view) {
  const query = new URLSearchParams();
  if (view.name !== "notes") query.set("view", view.name);
  for (const filter of FILTERS) if (view[filter]) query.set(filter, view[filter]);
  const text = query.toString();
  return `/notes/${view.open ? `${view.open}/` : ""}${text && `?${text}`}`;
}

// The same list of notes, whatever note is open.
export const sameList = (a, b) => a && b && addressOf({ ...a, open: null }) === addressOf({ ...b, open: null });
export const isFiltered = (view) => FILTERS.some((filter) => filter !== "label" && view[filter]);
export const withoutFilters = (view, name) => ({ ...Object.fromEntries(FILTERS.map((filter) => [filter, ""])), name, open: view.open });

// The query of the API for the list.
export function queryOf(view) {
  const query = new URLSearchParams({ page_size: PAGE });
  const state = { archive: "archived", trash: "trashed", reminders: "all" }[view.name] ?? (view.q || view.label ? "all" : "active");
  if (state !== "active") query.set("state", state);
  if (view.name === "reminders" || view.reminder) query.set("has_reminder", "true");
  if (view.name === "shared") query.set("owned", "false");
  if (view.kind) query.set("has_items", String(view.kind === "list"));
  if (view.q) query.set("search", view.q);
  for (const name of ["label", "color", "person"]) if (view[name]) query.set(name, view[name]);
  return query;
}

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

// Whether the note belongs to the list. The API has checked it for notes that it returned, except the trash.
export function matches(note, view) {
  if (Boolean(note.trashed_at) !== (view.name === "trash")) return false;
  if (view.name === "archive" && !note.archived) return false;
  if (view.name === "notes" && note.archived && !view.q && !view.label) return false;
  if ((view.name === "reminders" || view.reminder) && !note.remind_at) return false;
  if (view.name === "shared" && note.role === "owner") return false;
  if (view.label && !note.labels.some((label) => label.id === Number(view.label))) return false;
  if (view.color && note.color !== view.color) return false;
  if (view.kind && note.items.length > 0 !== (view.kind === "list")) return false;
  if (view.person && ![note.owner, ...note.collaborators].some((each) => each.usercode === view.person)) return false;
  if (!view.q) return true;
  const texts = [note.title, note.body, ...note.items.map((item) => item.text), ...note.labels.map((label) => label.name)].map(fold);
  return fold(view.q).split(/\s+/).every((word) => texts.some((text) => text.includes(word)));
}
