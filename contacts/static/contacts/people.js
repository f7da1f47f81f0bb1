// The list of contacts. The address has the filters, the order and the open contact.
import { $, clock, h, icon } from "../atrium/dom.js";
import { live } from "../atrium/live.js";
import { atrium, getPageData } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";
import { Drawer } from "./drawer.js";
import { deleteLater } from "./later.js";
import { Rows } from "./rows.js";
import { Selection } from "./selection.js";
import { count, showEmpty, showProblem } from "./words.js";

const PAUSE = 120; // milliseconds after a key until the search starts
const FILTERS = ["search", "upload", "has_phone", "has_email", "from", "to"];
const form = $("filters");
const box = $("people");
const leaving = new Set(); // ids of contacts that are deleted, and can be taken back

// --- Filters: form, address, request --------------------------------------------------------------------------------

const read = () => new URLSearchParams([...new URLSearchParams(location.search)].filter(([name, value]) => value && [...FILTERS, "ordering"].includes(name)));

// The parameters of the API. Dates are days in the browser's time zone.
function query(filters = read()) {
  const params = new URLSearchParams(filters);
  const midnight = (day, add) => {
    const [year, month, date] = day.split("-").map(Number);
    return new Date(year, month - 1, date + add).toISOString();
  };
  for (const [name, parameter, add] of [["from", "accepted_after", 0], ["to", "accepted_before", 1]]) {
    const day = params.get(name);
    params.delete(name);
    if (/^\d{4}-\d\d-\d\d$/.test(day ?? "")) params.set(parameter, midnight(day, add));
  }
  return params;
}

function address(params, contact = null) {
  const all = new URLSearchParams(params);
  if (contact) all.set("contact", contact);
  return String(all) ? `?${all}` : location.pathname;
}

function fill() {
  const params = read();
  for (const name of [...FILTERS, "ordering"]) {
    if (name === "search" && searchTimer) continue; // it is being typed
    const field = form.elements[name];
    const value = params.get(name) ?? "";
    if (name === "upload" && value && ![...field.options].some((option) => option.value === value)) field.append(h("option", { value }, `Upload ${value}`));
    if (field !== document.activeElement || field.value !== value) field.value = value;
  }
  const isFiltered = FILTERS.some((name) => params.get(name));
  $("clear").hidden = !isFiltered;
  const order = params.get("ordering") || "-id";
  for (const head of document.querySelectorAll("[data-order]")) {
    const isSorted = order.replace("-", "") === head.dataset.order;
    head.setAttribute("aria-sort", isSorted ? (order.startsWith("-") ? "descending" : "ascending") : "none");
  }
  for (const link of document.querySelectorAll("[data-export]")) {
    const wanted = query(params);
    wanted.delete("ordering");
    link.href = `/api/v1/contacts/export.${link.dataset.export}${String(wanted) ? `?${wanted}` : ""}`;
  }
}

// What the address says, with the search that is being typed.
function wanted() {
  const params = read();
  if (searchTimer) set(params, form.elements.search);
  return params;
}

function set(params, { name, value }) {
  if (value) params.set(name, value);
  else params.delete(name);
}

function change(params, { replace = false } = {}) {
  clearTimeout(searchTimer);
  searchTimer = 0;
  history[replace ? "replaceState" : "pushState"](null, "", address(params));
  update();
}

let shownFilters = String(read());
let searchTimer = 0; // runs while a search is being typed

function update() {
  shownFilters = String(read());
  fill();
  request?.abort();
  selection.clear();
  if (box.getBoundingClientRect().top < 0) box.scrollIntoView();
  rows.reload();
}

function typed() {
  clearTimeout(searchTimer);
  // Typing is one step of the history.
  const isFirst = !read().get("search") || !form.elements.search.value;
  searchTimer = setTimeout(() => change(wanted(), { replace: !isFirst }), PAUSE);
}

// What was typed or chosen before this script was loaded counts.
function takeEarly() {
  if (form.elements.search.value) typed();
  const params = read();
  for (const name of [...FILTERS, "ordering"]) if (name !== "search" && form.elements[name].value) set(params, form.elements[name]);
  if (String(params) !== shownFilters) history.replaceState(null, "", address(params, new URLSearchParams(location.search).get("contact")));
  shownFilters = String(params);
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", ({ target }) => {
  if (target.name === "search") return typed();
  const params = wanted();
  set(params, target);
  change(params);
});
$("clear").addEventListener("click", () => {
  const ordering = read().get("ordering");
  change(new URLSearchParams(ordering ? { ordering } : {}));
  form.elements.search.focus();
});
for (const head of document.querySelectorAll("[data-order]")) {
  head.querySelector("button").addEventListener("click", () => {
    const params = wanted();
    const order = params.get("ordering") || "-id";
    const name = head.dataset.order;
    const next = order === name ? `-${name}` : order === `-${name}` ? name : name === "id" ? "-id" : name;
    if (next === "-id") params.delete("ordering");
    else params.set("ordering", next);
    change(params);
  });
}
$("more-filters").addEventListener("click", ({ currentTarget: button }) => {
  const isOpen = form.classList.toggle("open");
  button.setAttribute("aria-expanded", String(isOpen));
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, dialog")) return;
  event.preventDefault();
  form.elements.search.focus();
});
$("export").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  $("export").open = false;
  $("export").firstElementChild.focus();
});
addEventListener("click", ({ target }) => !$("export").contains(target) && ($("export").open = false));

// The names of the uploads, for the filter.
async function loadUploads() {
  const { results } = await atrium.get("/contacts/uploads/", { query: { page_size: 200 } });
  const field = form.elements.upload;
  const chosen = field.value;
  field.replaceChildren(field.options[0], ...results.map(({ id, name, created_at: at }) => h("option", { value: String(id) }, `${name}, ${clock.short(at)}`)));
  field.value = chosen;
  fill();
}

// --- Rows -----------------------------------------------------------------------------------------------------------

let request = null;
const rows = new Rows($("rows"), {
  async fetchRows(offset, limit) {
    request = new AbortController();
    const params = query();
    params.set("offset", offset);
    params.set("limit", limit);
    return getPageData(`/contacts/window/?${params}`, { signal: offset ? undefined : request.signal });
  },
  version: (row) => [row.name, row.phone_number, row.email_address, leaving.has(row.id), selection.has(row.id)].join("\n"),
  build(row, element) {
    element.classList.toggle("leaving", leaving.has(row.id));
    element.classList.toggle("selected", selection.has(row.id));
    const { id, name, phone_number: phone, email_address: email, accepted_at: at } = row;
    const label = name || h("span.muted", {}, "No name");
    const link = h("a", { href: address(read(), id), "data-contact": String(id) }, label);
    if (leaving.has(id)) link.append(h("span.visually-hidden", {}, ", deleted"));
    const select = h("input", { type: "checkbox", checked: selection.has(id), "aria-label": `Select ${name || email || phone}`, "data-select": String(id), "data-focus": "select" });
    return [
      h("span.person-select", { role: "cell" }, h("label", {}, select)),
      h("span.person-name", { role: "cell" }, link),
      h("span.person-phone.num", { role: "cell" }, phone),
      h("span.person-email", { role: "cell" }, email),
      h("span.person-added.muted", { role: "cell" }, h("time", { dateTime: at, title: clock.full(at) }, clock.short(at))),
    ];
  },
  changed(error) {
    box.removeAttribute("aria-busy");
    showProblem(error ?? null, () => rows.reload({ keep: true }));
    if (error) return;
    selection.total = rows.count;
    const isFiltered = FILTERS.some((name) => read().get(name));
    const text = isFiltered ? `${count(rows.count, "contact")} found` : count(rows.count, "contact");
    if ($("total").textContent !== text) $("total").textContent = text;
    $("export-what").textContent = isFiltered ? `The ${count(rows.count, "contact")} found` : "All contacts";
    box.setAttribute("aria-rowcount", String(rows.count + 1));
    box.hidden = !rows.count;
    $("total").hidden = !rows.count;
    $("empty").hidden = rows.count > 0;
    form.hidden = !rows.count && !isFiltered;
    if (rows.count) return;
    if (isFiltered) showEmpty($("empty"), "search", "No contacts match these filters.", h("button.button.secondary", { type: "button", onclick: () => $("clear").click() }, "Clear filters"));
    else showEmpty($("empty"), "contacts", "No contacts yet. Import them from Excel, CSV, or an export of another service.", h("a.button", { href: "/contacts/import/" }, icon("upload"), "Import a file"));
  },
});

const selection = new Selection($("selection"), $("select-all"), {
  async fetchIds(offset, limit) {
    const params = query();
    params.set("offset", offset);
    params.set("limit", limit);
    return (await getPageData(`/contacts/ids/?${params}`)).ids;
  },
  changed: () => rows.draw(),
  deleted: () => rows.reload({ keep: true }),
});

$("rows").addEventListener("click", (event) => {
  const row = event.target.closest("[data-index]");
  const { target } = event;
  if (target.dataset.select) return selection.set(Number(target.dataset.select), Number(row.dataset.index), target.checked, event.shiftKey);
  if (target.closest(".person-select")) return;
  const link = row?.querySelector("a[data-contact]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || String(getSelection())) return;
  event.preventDefault();
  history.pushState({ isDrawer: true }, "", link.href);
  link.focus({ preventScroll: true });
  showContact();
});

// --- The open contact -----------------------------------------------------------------------------------------------

const drawer = new Drawer({
  saved(contact) {
    rows.replace(contact);
    rows.reload({ keep: true }); // it may sort or match differently
  },
  closed() {
    if (history.state?.isDrawer) history.back();
    else history.replaceState(null, "", address(read()));
  },
  deleted(contact) {
    const { id, name, email_address: email, phone_number: phone } = contact;
    leaving.add(id);
    rows.draw();
    deleteLater((options) => atrium.delete("/contacts/{id}/", { path: { id }, ...options }), `Deleted ${name || email || phone}.`, {
      undone() {
        leaving.delete(id);
        rows.draw();
      },
      deleted() {
        leaving.delete(id);
        rows.reload({ keep: true });
      },
    });
  },
});

async function showContact() {
  const id = /^\d+$/.exec(new URLSearchParams(location.search).get("contact") ?? "")?.[0];
  if (!id) return drawer.close();
  const known = rows.find(Number(id));
  if (known) return drawer.open(known);
  try {
    const contact = await atrium.get("/contacts/{id}/", { path: { id } });
    if (new URLSearchParams(location.search).get("contact") === id) drawer.open(contact);
  } catch (error) {
    history.replaceState(null, "", address(read()));
    toast(error.status === 404 ? "This contact does not exist." : error.message, "warn");
  }
}

addEventListener("popstate", () => {
  if (shownFilters !== String(read())) update();
  showContact();
});

// --- Changes --------------------------------------------------------------------------------------------------------

let timer = 0;
function reloadSoon(wait = 1000) {
  timer ||= setTimeout(() => {
    timer = 0;
    if (document.visibilityState === "visible") rows.reload({ keep: true });
  }, wait);
}
live.addEventListener("upload", () => reloadSoon());
live.addEventListener("resync", () => reloadSoon());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && reloadSoon(0));

takeEarly();
fill();
rows.reload();
showContact();
loadUploads().catch(() => {}); // the filter is not complete; the list reports that there is no connection
