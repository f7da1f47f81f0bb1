// The page /trends/: a radar and charts that filter, and a list of the filtered trends.
//
// `state` is the current selection and the query string of the page, so a link opens the same view. The charts are
// computed from the groups of summary/; radar and list are loaded from the API for each selection.
import { api } from "../atrium/api.js";
import { showChanges } from "./changes.js";
import { drawCharts, FACETS, includes } from "./charts.js";
import { prepareRadar, showRadar } from "./radar.js";
import { showRows } from "./rows.js";
import { prepareUpload } from "./upload.js";

const PAGE_SIZE = 25;
const MACROTREND = { name: "macrotrend", title: "Macrotrend", label: (value) => value }; // selected on the radar
const byId = (id) => document.getElementById(id);

let state = stateFromAddress();
let groups = [];
let radar = null;
let requests = 0;
let radarRequests = 0;
let typed = false; // the newest entry of the history is a search that is being typed

function stateFromAddress() {
  const query = new URLSearchParams(location.search);
  return {
    search: query.get("search") ?? "",
    ordering: query.get("ordering") ?? "",
    page: Math.max(Number.parseInt(query.get("page"), 10) || 1, 1),
    ...Object.fromEntries([...FACETS, MACROTREND].map((facet) => [facet.name, query.getAll(facet.name).filter(Boolean)])),
  };
}

function query(names, more = {}) {
  const parts = new URLSearchParams();
  for (const name of names) {
    if (Array.isArray(state[name])) for (const value of state[name]) parts.append(name, value);
    else if (state[name] && !(name === "page" && state.page === 1)) parts.set(name, state[name]);
  }
  for (const [name, value] of Object.entries(more)) parts.set(name, value);
  return parts.toString();
}

// Every change is an entry in the browser's history; the letters of one search are one entry.
function change(changed, { typing = false } = {}) {
  const before = state;
  state = { ...state, page: 1, ...changed };
  const address = `?${query(Object.keys(state))}`;
  if (typing && typed) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  typed = typing;
  refresh(before);
}

// The names of the state that the summary and the radar are requested with.
const OF_SUMMARY = ["search", "macrotrend"];
const OF_RADAR = ["search", ...FACETS.map((facet) => facet.name)];

function refresh(before) {
  const differs = (names) => names.some((name) => String(state[name]) !== String(before[name]));
  if (differs(OF_SUMMARY)) loadSummary();
  else show();
  if (differs(OF_RADAR)) loadRadar();
  else if (radar) showRadar(radar, state.macrotrend);
  loadRows();
}

function toggle(name, value) {
  const selected = state[name];
  change({ [name]: includes(selected, value) ? selected.filter((each) => !includes([each], value)) : [...selected, value] });
}

function show() {
  const left = groups.filter((group) => FACETS.every((facet) => facet.matches(group, state[facet.name])));
  const sum = (key) => left.reduce((total, group) => total + group[key], 0).toLocaleString("en");
  byId("totals").textContent = `${sum("count")} trends, ${sum("publications")} publications, ${sum("patents")} patents.`;
  drawCharts(byId("charts"), groups, state, toggle);
  byId("charts").removeAttribute("aria-busy");
  showSelection();
}

function showSelection() {
  const selection = [...FACETS, MACROTREND].flatMap((facet) => state[facet.name].map((value) => [facet, value]));
  const chips = selection.map(([facet, value], index) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "chip";
    chip.setAttribute("aria-pressed", "true");
    chip.textContent = `${facet.title}: ${facet.label(value)}`;
    chip.addEventListener("click", () => {
      toggle(facet.name, value);
      const left = byId("selection").querySelectorAll("button.chip");
      (left[Math.min(index, left.length - 1)] ?? byId("search")).focus();
    });
    return chip;
  });
  const clear = document.createElement("button");
  clear.type = "button";
  clear.className = "button quiet small";
  clear.textContent = "Clear all";
  clear.addEventListener("click", () => {
    change(Object.fromEntries([...FACETS, MACROTREND].map((facet) => [facet.name, []])));
    byId("search").focus();
  });
  const none = document.createElement("span");
  none.className = "muted";
  none.textContent = "No filters selected";
  byId("selection").replaceChildren(...(chips.length ? [...chips, clear] : [none]));
}

async function showErrors(work, retry) {
  try {
    await work();
    byId("load-error").hidden = true;
  } catch (error) {
    const box = document.createElement("div");
    box.className = "alert danger";
    box.setAttribute("role", "alert");
    const text = document.createElement("div");
    text.textContent = error.message;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button secondary small";
    button.textContent = "Try again";
    button.addEventListener("click", retry);
    box.append(text, button);
    byId("load-error").replaceChildren(box);
    byId("load-error").hidden = false;
  }
}

function loadSummary() {
  return showErrors(async () => {
    const { data } = await api(`/api/v1/trends/summary/?${query(OF_SUMMARY)}`);
    groups = data.groups;
    show();
  }, reload);
}

function loadRadar() {
  const request = ++radarRequests;
  byId("radar").setAttribute("aria-busy", "true");
  return showErrors(async () => {
    const { data } = await api(`/api/v1/trends/radar/?${query(OF_RADAR)}`);
    if (request !== radarRequests) return; // the selection has changed since
    radar = data;
    showRadar(radar, state.macrotrend);
  }, reload);
}

function loadRows() {
  const request = ++requests;
  byId("rows").setAttribute("aria-busy", "true");
  return showErrors(async () => {
    const { data } = await api(`/api/v1/trends/?${query(Object.keys(state), { page_size: PAGE_SIZE })}`);
    if (request !== requests) return; // the selection has changed since
    showRows(byId("rows"), data.results);
    byId("rows").removeAttribute("aria-busy");
    const first = (state.page - 1) * PAGE_SIZE + 1;
    byId("position").textContent = data.count
      ? `${first.toLocaleString("en")}–${(first + data.results.length - 1).toLocaleString("en")} of ${data.count.toLocaleString("en")}`
      : "";
    byId("previous").disabled = !data.previous;
    byId("next").disabled = !data.next;
    showOrder();
  }, reload);
}

function reload() {
  loadSummary();
  loadRadar();
  showErrors(showChanges, reload);
  loadRows();
}

function showOrder() {
  for (const head of document.querySelectorAll("[data-order]")) {
    const name = head.dataset.order;
    const sorted = { [name]: "ascending", [`-${name}`]: "descending" }[state.ordering];
    if (sorted) head.setAttribute("aria-sort", sorted);
    else head.removeAttribute("aria-sort");
  }
  byId("ordering").value = state.ordering;
}

for (const head of document.querySelectorAll("[data-order]")) {
  head.querySelector("button").addEventListener("click", () => {
    const name = head.dataset.order;
    // Counts start with the largest, names with A. A third press returns to the default order.
    const orders = name === "megatrend" ? [name, `-${name}`, ""] : [`-${name}`, name, ""];
    change({ ordering: orders[(orders.indexOf(state.ordering) + 1) % orders.length] });
  });
}

let typing;
byId("search").value = state.search;
byId("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => change({ search: event.target.value.trim() }, { typing: true }), 250);
});
byId("search-form").addEventListener("submit", (event) => event.preventDefault());
byId("previous").addEventListener("click", () => change({ page: state.page - 1 }));
byId("next").addEventListener("click", () => change({ page: state.page + 1 }));
byId("ordering").addEventListener("change", (event) => change({ ordering: event.target.value }));
addEventListener("popstate", () => {
  const before = state;
  state = stateFromAddress();
  typed = false;
  byId("search").value = state.search;
  refresh(before);
});
function redraw() {
  show();
  if (radar) showRadar(radar, state.macrotrend);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
document.addEventListener("atrium:theme", redraw);
prepareRadar((name) => toggle("macrotrend", name));
prepareUpload(reload);
reload();
