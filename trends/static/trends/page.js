// The page /trends/: charts that filter, and the table that follows.
//
// What is chosen is one object, `state`, which is also the page's address: a link leads to the same view. The charts are
// counted here from the groups of summary/, the table is asked from the API.
import { api } from "../atrium/api.js";
import { drawCharts, FACETS } from "./charts.js";
import { showRows } from "./rows.js";
import { prepareUpload } from "./upload.js";

const PAGE_SIZE = 25;
const NAMES = ["search", "ordering", "page", ...FACETS.map((facet) => facet.name)];
const at = (id) => document.getElementById(id);

let state = fromAddress();
let groups = [];
let asked = 0;

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const read = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  return { ...read, page: Math.max(Number.parseInt(read.page, 10) || 1, 1) };
}

function query(names, more = {}) {
  const parts = new URLSearchParams();
  for (const name of names) if (state[name] && !(name === "page" && state.page === 1)) parts.set(name, state[name]);
  for (const [name, value] of Object.entries(more)) parts.set(name, value);
  return parts.toString();
}

function change(changed, { keepAddress = false } = {}) {
  const searched = "search" in changed && changed.search !== state.search;
  state = { ...state, page: 1, ...changed };
  if (!keepAddress) history.replaceState(null, "", `?${query(NAMES)}`);
  if (searched) loadSummary();
  else show();
  loadRows();
}

function toggle(name, value) {
  change({ [name]: state[name].toLowerCase() === value.toLowerCase() ? "" : value });
}

function show() {
  const left = groups.filter((group) => FACETS.every((facet) => facet.admits(group, state[facet.name])));
  const sum = (key) => left.reduce((total, group) => total + group[key], 0).toLocaleString("en");
  at("told").textContent = `${sum("count")} trends, ${sum("publications")} publications, ${sum("patents")} patents.`;
  drawCharts(at("charts"), groups, state, toggle);
  at("charts").removeAttribute("aria-busy");
  showChosen();
}

function showChosen() {
  const chosen = FACETS.filter((facet) => state[facet.name]);
  at("chosen").hidden = !chosen.length;
  at("chosen").replaceChildren(
    ...chosen.map((facet) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "chip";
      chip.setAttribute("aria-pressed", "true");
      chip.textContent = `${facet.title}: ${facet.label(state[facet.name])}`;
      chip.addEventListener("click", () => change({ [facet.name]: "" }));
      return chip;
    }),
    ...(chosen.length
      ? [
          Object.assign(document.createElement("button"), {
            type: "button",
            className: "button quiet small",
            textContent: "Clear all",
            onclick: () => change(Object.fromEntries(FACETS.map((facet) => [facet.name, ""]))),
          }),
        ]
      : []),
  );
}

async function guarded(work, again) {
  try {
    await work();
    at("trouble").hidden = true;
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
    button.addEventListener("click", again);
    box.append(text, button);
    at("trouble").replaceChildren(box);
    at("trouble").hidden = false;
  }
}

function loadSummary() {
  return guarded(async () => {
    const { data } = await api(`/api/v1/trends/summary/?${query(["search"])}`);
    groups = data.groups;
    show();
  }, reload);
}

function loadRows() {
  const mine = ++asked;
  at("rows").setAttribute("aria-busy", "true");
  return guarded(async () => {
    const { data } = await api(`/api/v1/trends/?${query(NAMES, { page_size: PAGE_SIZE })}`);
    if (mine !== asked) return; // a later choice has been made meanwhile
    showRows(at("rows"), data.results);
    at("rows").removeAttribute("aria-busy");
    const first = (state.page - 1) * PAGE_SIZE + 1;
    at("place").textContent = data.count
      ? `${first.toLocaleString("en")}–${(first + data.results.length - 1).toLocaleString("en")} of ${data.count.toLocaleString("en")}`
      : "";
    at("previous").disabled = !data.previous;
    at("next").disabled = !data.next;
    showOrder();
  }, reload);
}

function reload() {
  loadSummary();
  loadRows();
}

function showOrder() {
  for (const head of document.querySelectorAll("[data-order]")) {
    const name = head.dataset.order;
    const sorted = { [name]: "ascending", [`-${name}`]: "descending" }[state.ordering];
    if (sorted) head.setAttribute("aria-sort", sorted);
    else head.removeAttribute("aria-sort");
  }
}

for (const head of document.querySelectorAll("[data-order]")) {
  head.querySelector("button").addEventListener("click", () => {
    const name = head.dataset.order;
    // Counts are looked at from the largest down, names from A to Z; a third press goes back to the stored order.
    const orders = name === "megatrend" ? [name, `-${name}`, ""] : [`-${name}`, name, ""];
    change({ ordering: orders[(orders.indexOf(state.ordering) + 1) % orders.length] });
  });
}

let typing;
at("search").value = state.search;
at("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => change({ search: event.target.value.trim() }), 250);
});
at("search-form").addEventListener("submit", (event) => event.preventDefault());
at("previous").addEventListener("click", () => change({ page: state.page - 1 }));
at("next").addEventListener("click", () => change({ page: state.page + 1 }));
addEventListener("popstate", () => change(fromAddress(), { keepAddress: true }));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
prepareUpload(reload);
reload();
