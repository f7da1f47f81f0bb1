// The page /trends/: filters, a radar and charts that filter too, and the list of the filtered trends.
//
// `state` is the current selection and the query string of the page, so a link opens the same view. The charts are
// computed from the groups of summary/; radar and list are loaded from the API for each selection. Modules that are not
// needed at first are loaded when they are.
import { $, h } from "../atrium/dom.js";
import { atrium } from "../atrium/site.js";
import { drawCharts } from "./charts.js";
import { ALL, FACETS, MACROTREND, includes, totals } from "./facets.js";
import { prepareFilters } from "./filters.js";
import { showRows } from "./rows.js";

const PAGE_SIZE = 25;

let state = stateFromAddress();
let groups = [];
let radar = null;
let drawRadar = null; // of the radar's module
const requests = { summary: 0, radar: 0, rows: 0 };
let typed = false; // the newest entry of the history is a search that is being typed

function stateFromAddress() {
  const query = new URLSearchParams(location.search);
  return {
    search: query.get("search") ?? "",
    ordering: query.get("ordering") ?? "",
    page: Math.max(Number.parseInt(query.get("page"), 10) || 1, 1),
    ...Object.fromEntries(ALL.map((facet) => [facet.name, query.getAll(facet.name).filter(Boolean)])),
  };
}

// The named parts of the state that differ from the default.
function query(names) {
  const isSet = (name) => (name === "page" ? state.page > 1 : state[name].length > 0);
  return Object.fromEntries(names.filter(isSet).map((name) => [name, state[name]]));
}

function addressOfState() {
  const parts = Object.entries(query(Object.keys(state))).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
  return parts.length ? `?${new URLSearchParams(parts)}` : location.pathname;
}

// Every change is an entry in the browser's history; the letters of one search are one entry.
function change(changed, { typing = false } = {}) {
  const before = state;
  state = { ...state, page: 1, ...changed };
  history[typing && typed ? "replaceState" : "pushState"](null, "", addressOfState());
  typed = typing;
  refresh(before);
}

// The names of the state that the summary and the radar are requested with.
const OF_SUMMARY = ["search", "macrotrend"];
const OF_RADAR = ["search", ...FACETS.map((facet) => facet.name)];

function refresh(before) {
  const differs = (names) => names.some((name) => String(state[name]) !== String(before[name]));
  show();
  if (differs(OF_SUMMARY)) loadSummary();
  if (differs(OF_RADAR)) loadRadar();
  loadRows();
}

function toggle(name, value) {
  const selected = state[name];
  change({ [name]: includes(selected, value) ? selected.filter((each) => !includes([each], value)) : [...selected, value] });
}

// --- Filters, charts and radar ------------------------------------------------------------------------------------------

const showFilters = prepareFilters({
  choices,
  isPartial: (facet) => facet === MACROTREND && radar?.total_groups > radar?.groups.length,
  toggle,
  clear: (name) => change({ [name]: [] }),
});

function choices(facet) {
  if (facet !== MACROTREND) return totals(facet, groups, state);
  const counts = new Map();
  for (const { macrotrend, trends } of radar?.groups ?? []) counts.set(macrotrend, (counts.get(macrotrend) ?? 0) + trends);
  return [...counts].map(([value, count]) => ({ value, label: value, count })).sort((a, b) => b.count - a.count || a.value.localeCompare(b.value));
}

function show() {
  drawCharts(groups, state, toggle);
  if (!$("charts").hasAttribute("aria-busy")) showTotals();
  showFilters(state);
  showSelection();
  showRadar();
}

function showTotals() {
  const left = groups.filter((group) => FACETS.every((facet) => facet.matches(group, state[facet.name])));
  const amount = (key, word) => {
    const sum = left.reduce((total, group) => total + group[key], 0);
    return `${sum.toLocaleString("en")} ${word}${sum === 1 ? "" : "s"}`;
  };
  $("totals").textContent = `${amount("count", "trend")}, ${amount("publications", "publication")}, ${amount("patents", "patent")}.`;
}

function showRadar() {
  if (radar) drawRadar?.(radar, state.macrotrend);
}

function showSelection() {
  const chips = ALL.flatMap((facet) => state[facet.name].map((value) => [facet, value])).map(([facet, value], index) =>
    h(
      "button.chip",
      {
        type: "button",
        "aria-pressed": "true",
        onclick() {
          toggle(facet.name, value);
          const left = $("selection").querySelectorAll("button.chip");
          (left[Math.min(index, left.length - 1)] ?? $("search")).focus();
        },
      },
      `${facet.title}: ${facet.label(value)}`,
    ),
  );
  const clear = () => {
    change(Object.fromEntries(ALL.map((facet) => [facet.name, []])));
    $("search").focus();
  };
  $("selection").replaceChildren(...(chips.length ? [...chips, h("button.button.quiet.small", { type: "button", onclick: clear }, "Clear all")] : [h("span.muted", {}, "No filters selected")]));
}

// --- Loading ------------------------------------------------------------------------------------------------------------

const failed = new Set(); // names of what could not be loaded

async function showErrors(name, work) {
  try {
    await work();
    failed.delete(name);
  } catch (error) {
    failed.add(name);
    const again = h("button.button.secondary.small", { type: "button", onclick: () => (failed.clear(), reload()) }, "Try again");
    $("load-error").replaceChildren(h("div.alert.danger", { role: "alert" }, h("div", {}, error.message), again));
  }
  $("load-error").hidden = !failed.size;
}

// Call `use` with what the API returns, unless the selection has changed since.
function load(name, path, query, use) {
  const request = ++requests[name];
  return showErrors(name, async () => {
    const data = await atrium.get(path, { query });
    if (request === requests[name]) use(data);
  });
}

function loadSummary() {
  return load("summary", "/trends/summary/", query(OF_SUMMARY), (data) => {
    groups = data.groups;
    $("charts").removeAttribute("aria-busy");
    show();
  });
}

function loadRadar() {
  $("radar").setAttribute("aria-busy", "true");
  return load("radar", "/trends/radar/", query(OF_RADAR), (data) => {
    radar = data;
    showRadar();
    showFilters(state);
  });
}

function loadRows() {
  $("rows").setAttribute("aria-busy", "true");
  return load("rows", "/trends/", { ...query(Object.keys(state)), page_size: PAGE_SIZE }, (data) => {
    showRows($("rows"), data.results);
    $("rows").removeAttribute("aria-busy");
    const first = (state.page - 1) * PAGE_SIZE + 1;
    $("position").textContent = data.count
      ? `${first.toLocaleString("en")}–${(first + data.results.length - 1).toLocaleString("en")} of ${data.count.toLocaleString("en")}`
      : "";
    $("previous").disabled = !data.previous;
    $("next").disabled = !data.next;
    showOrder();
  });
}

function reload() {
  loadSummary();
  loadRadar();
  loadRows();
}

function showOrder() {
  for (const head of document.querySelectorAll("[data-order]")) {
    const name = head.dataset.order;
    const sorted = { [name]: "ascending", [`-${name}`]: "descending" }[state.ordering];
    if (sorted) head.setAttribute("aria-sort", sorted);
    else head.removeAttribute("aria-sort");
  }
  $("ordering").value = state.ordering;
}

// --- Controls -----------------------------------------------------------------------------------------------------------

for (const head of document.querySelectorAll("[data-order]")) {
  head.querySelector("button").addEventListener("click", () => {
    const name = head.dataset.order;
    // Counts start with the largest, names with A. A third press returns to the default order.
    const orders = name === "megatrend" ? [name, `-${name}`, ""] : [`-${name}`, name, ""];
    change({ ordering: orders[(orders.indexOf(state.ordering) + 1) % orders.length] });
  });
}

let typing;
function searchSoon() {
  clearTimeout(typing);
  typing = setTimeout(() => change({ search: $("search").value.trim() }, { typing: true }), 250);
}
if ($("search").value) searchSoon(); // typed before this script was loaded
else $("search").value = state.search;
$("search").addEventListener("input", searchSoon);
$("search-form").addEventListener("submit", (event) => event.preventDefault());
$("previous").addEventListener("click", () => change({ page: state.page - 1 }));
$("next").addEventListener("click", () => change({ page: state.page + 1 }));
$("ordering").addEventListener("change", (event) => change({ ordering: event.target.value }));
addEventListener("popstate", () => {
  const before = state;
  state = stateFromAddress();
  typed = false;
  clearTimeout(typing);
  $("search").value = state.search;
  refresh(before);
});
// The colours of the radar are attributes.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showRadar);
document.addEventListener("atrium:theme", showRadar);

// --- Modules that are loaded when they are needed -----------------------------------------------------------------------

// The radar's, when it is about to be scrolled into view.
const nearRadar = new IntersectionObserver(
  ([entry]) => {
    if (!entry.isIntersecting) return;
    nearRadar.disconnect();
    showErrors("radar module", async () => {
      const module = await import("./radar.js");
      module.prepareRadar((name) => toggle("macrotrend", name));
      drawRadar = module.showRadar;
      showRadar();
    });
  },
  { rootMargin: "50%" },
);
nearRadar.observe($("radar"));

// That of the changes, when they are opened.
function prepareChanges() {
  $("changes")?.addEventListener("toggle", ({ target }) => target.open && showErrors("changes", async () => (await import("./changes.js")).showChanges(target)));
}

// After an import (upload.js): new numbers, and what it has changed.
document.addEventListener("trends:imported", () =>
  showErrors("changes", async () => {
    reload();
    const text = await (await fetch(location.href)).text();
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("changes-place");
    $("changes-place").replaceChildren(...fresh.childNodes);
    prepareChanges();
  }),
);

prepareChanges();
show();
reload();
