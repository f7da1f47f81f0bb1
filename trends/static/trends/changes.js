// What has changed since the last import: counts, and the trends that were updated, with arrows.
import { h } from "../atrium/dom.js";
import { atrium } from "../atrium/site.js";

const SHOWN = 20; // updated trends
const PAGES = 4; // of changes/ that are read: an import may have changed a hundred thousand trends
const LEVELS = {
  technology_readiness_level: ["", "Pilot", "Development", "Deploy"],
  impact_strength: ["Low", "Medium", "High"],
};
const COUNTS = ["total_count_of_publications", "total_count_of_patents"];

const size = (change) => COUNTS.reduce((sum, name) => sum + Math.abs((change.after[name] ?? 0) - (change.before[name] ?? 0)), 0);

// One cell: the present value, or both values with an arrow that says up or down.
function cell(change, name) {
  const isCount = COUNTS.includes(name);
  const text = (value) => (isCount ? (value === null ? "unknown" : value.toLocaleString("en")) : value || "unknown");
  const [before, after] = [change.before[name], change.after[name]];
  const kind = isCount ? "td.num" : "td";
  if (before === after) return h(kind, {}, h("span.muted", {}, text(after)));
  const rank = (value) => (isCount ? (value ?? 0) : LEVELS[name].indexOf(value));
  const isUp = rank(after) > rank(before);
  return h(
    kind,
    {},
    h(`span.arrow.${isUp ? "up" : "down"}`, { "aria-hidden": "true" }, isUp ? "▲" : "▼"),
    h("span.visually-hidden", {}, isUp ? "up: " : "down: "),
    `${text(before)} → ${text(after)}`,
  );
}

function row(change) {
  const { macrotrend, megatrend } = change.after;
  const name = h("th", { scope: "row" }, h("a", { href: `/trends/${change.trend}/${location.search}` }, macrotrend), h("span.muted.small", {}, megatrend));
  return h("tr", {}, name, ...[...COUNTS, ...Object.keys(LEVELS)].map((column) => cell(change, column)));
}

async function read(since) {
  const changes = [];
  let until = since;
  for (let page = 0; page < PAGES; page++) {
    const data = await atrium.get("/trends/changes/", { query: { since: until } });
    if (!data.results.length) return { changes, isComplete: true };
    changes.push(...data.results);
    until = data.until;
  }
  return { changes, isComplete: false };
}

export async function showChanges(section) {
  const { changes, isComplete } = await read(section.dataset.since);
  const count = (kind) => changes.filter((change) => change.kind === kind).length;
  const least = isComplete ? "" : "at least ";
  section.querySelector("#changes-counts").textContent =
    `${["created", "updated", "deleted"].map((kind) => `${least}${count(kind).toLocaleString("en")} ${kind}`).join(", ")}.`;
  // A trend that has changed twice is shown once, from its first values to its last.
  const updated = new Map();
  for (const change of changes) {
    if (change.kind === "deleted") updated.delete(change.trend);
    if (change.kind === "updated") updated.set(change.trend, { ...change, before: updated.get(change.trend)?.before ?? change.before });
  }
  const largest = [...updated.values()].sort((a, b) => size(b) - size(a)).slice(0, SHOWN);
  section.querySelector("tbody").replaceChildren(...largest.map(row));
  section.querySelector(".table-wrap").hidden = !largest.length;
  section.querySelector("#changes-shown").textContent =
    updated.size > largest.length ? `The ${largest.length} largest changes are shown.` : largest.length ? "" : "No trend was updated.";
}
