// The page of one trend: its counts over time, and what else its groups contain.
import { $, h } from "../atrium/dom.js";
import { atrium, nextQuery } from "../atrium/site.js";
import { FACETS, MACROTREND, includes } from "./facets.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 160;
const EDGE = { top: 12, bottom: 24, sides: 12 };
const COUNTS = { publications: ["Publications", "total_count_of_publications"], patents: ["Patents", "total_count_of_patents"] };
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const minute = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const number = (value) => (value === null ? "unknown" : value.toLocaleString("en"));
const compact = new Intl.NumberFormat("en", { notation: "compact" });

const history = $("history");
let states = []; // newest first, as in the API
let next = {}; // the query of the next page; null after the last

function make(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// --- Counts over time -------------------------------------------------------------------------------------------------

async function loadStates() {
  try {
    const page = await atrium.get("/trends/{id}/history/", { path: { id: history.dataset.trend }, query: next });
    states.push(...page.results);
    next = nextQuery(page);
    $("states").append(...page.results.map(row));
    $("older").replaceChildren(...(next ? [h("button.button.secondary.small", { type: "button", onclick: loadStates }, "Show older values")] : []));
    draw();
  } catch (error) {
    $("older").replaceChildren(h("span", {}, error.message), h("button.button.secondary.small", { type: "button", onclick: loadStates }, "Try again"));
  }
  history.removeAttribute("aria-busy");
}

function row({ values, at }) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("time", { dateTime: at }, minute.format(new Date(at)))),
    h("td.num", {}, number(values.total_count_of_publications)),
    h("td.num", {}, number(values.total_count_of_patents)),
    h("td", {}, values.technology_readiness_level || "unknown"),
    h("td", {}, values.impact_strength),
  );
}

function draw() {
  $("lines").replaceChildren(...Object.entries(COUNTS).map(([kind, [title, column]]) => line(kind, title, states.map(({ values, at }) => [Date.parse(at), values[column]]).reverse())));
}

// One line with a scale of its own, from zero. The last value lasts until now. Unknown counts are gaps.
function line(kind, title, points) {
  const width = Math.max(240, $("lines").clientWidth / ($("lines").clientWidth < 560 ? 1 : 2) - 8);
  const svg = make("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", class: `line-of-counts ${kind}`, "aria-label": `${title} over time. The table shows the same numbers.` });
  const known = points.filter(([, value]) => value !== null);
  const most = Math.max(1, ...known.map(([, value]) => value));
  const first = points[0][0];
  const length = Math.max(1, points.at(-1)[0] - first);
  const left = EDGE.sides + compact.format(most).length * 7;
  const x = (at) => (points.length > 1 ? left + ((at - first) / length) * (width - left - EDGE.sides) : (width + left) / 2);
  const y = (value) => HEIGHT - EDGE.bottom - (value / most) * (HEIGHT - EDGE.top - EDGE.bottom);
  for (const value of most > 1 ? [0, most / 2, most] : [0, most]) {
    svg.append(make("line", { x1: left, x2: width - EDGE.sides, y1: y(value), y2: y(value), class: "grid" }));
    svg.append(make("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, compact.format(value)));
  }
  svg.append(make("text", { x: left, y: HEIGHT - 6 }, day.format(first)));
  if (points.length > 1) svg.append(make("text", { x: width - EDGE.sides, y: HEIGHT - 6, "text-anchor": "end" }, day.format(points.at(-1)[0])));
  let pen = "M";
  let path = "";
  for (const [at, value] of points) {
    if (value !== null) path += `${pen}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = value === null ? "M" : "L";
  }
  svg.append(make("path", { d: path, class: "line" }));
  for (const [at, value] of known) {
    const dot = make("circle", { cx: x(at).toFixed(1), cy: y(value).toFixed(1), r: 3.5 });
    dot.append(make("title", {}, `${day.format(at)}: ${number(value)}`));
    svg.append(dot);
  }
  return h("figure", {}, h("figcaption", {}, h(`span.key.${kind}`, { "aria-hidden": "true" }), title), svg);
}

let width = 0;
new ResizeObserver(() => {
  if (states.length && $("lines").clientWidth !== width) draw();
  width = $("lines").clientWidth;
}).observe($("lines"));

// --- Groups -------------------------------------------------------------------------------------------------------------

async function loadGroups() {
  const rows = [...$("groups").rows];
  const macrotrend = rows.find((each) => each.dataset.facet === MACROTREND.name);
  const [all, own] = await Promise.all([
    atrium.get("/trends/summary/"),
    atrium.get("/trends/summary/", { query: { macrotrend: [macrotrend.dataset.value] } }),
  ]);
  for (const each of rows) {
    const facet = FACETS.find(({ name }) => name === each.dataset.facet);
    const groups = facet ? all.groups.filter((group) => includes([facet.value(group)], each.dataset.value)) : own.groups;
    for (const [place, key] of ["count", "publications", "patents"].entries()) {
      each.cells[2 + place].textContent = groups.reduce((sum, group) => sum + group[key], 0).toLocaleString("en");
    }
  }
}

loadStates();
loadGroups().catch((error) => console.warn(error.message)); // the links are there without the numbers
