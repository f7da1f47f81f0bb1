// What has changed since the last import: counts, and the trends that were updated, with arrows.
import { api } from "../atrium/api.js";

const SHOWN = 20; // updated trends
const PAGES = 4; // of changes/ that are read: an import may have changed a hundred thousand trends
const LEVELS = {
  technology_readiness_level: ["", "Pilot", "Development", "Deploy"],
  impact_strength: ["Low", "Medium", "High"],
};
const COUNTS = ["total_count_of_publications", "total_count_of_patents"];

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function size(change) {
  return COUNTS.reduce((sum, name) => sum + Math.abs((change.after[name] ?? 0) - (change.before[name] ?? 0)), 0);
}

// One cell: the present value, or both values with an arrow that says up or down.
function cell(change, name) {
  const isCount = COUNTS.includes(name);
  const text = (value) => (isCount ? (value === null ? "unknown" : value.toLocaleString("en")) : value || "unknown");
  const [before, after] = [change.before[name], change.after[name]];
  const box = element("td", "", { class: isCount ? "num" : "" });
  if (before === after) {
    box.append(element("span", text(after), { class: "muted" }));
    return box;
  }
  const rank = (value) => (isCount ? (value ?? 0) : LEVELS[name].indexOf(value));
  const isUp = rank(after) > rank(before);
  const arrow = element("span", isUp ? "▲" : "▼", { class: `arrow ${isUp ? "up" : "down"}`, "aria-hidden": "true" });
  box.append(arrow, element("span", isUp ? "up: " : "down: ", { class: "visually-hidden" }), `${text(before)} → ${text(after)}`);
  return box;
}

function row(change) {
  const line = element("tr");
  const name = element("th", change.after.macrotrend, { scope: "row" });
  name.append(element("span", change.after.megatrend, { class: "muted small" }));
  line.append(name, ...[...COUNTS, ...Object.keys(LEVELS)].map((column) => cell(change, column)));
  return line;
}

async function read(since) {
  const changes = [];
  let until = since;
  for (let page = 0; page < PAGES; page++) {
    const { data } = await api(`/api/v1/trends/changes/?since=${encodeURIComponent(until)}`);
    if (!data.results.length) return { changes, until, isComplete: true };
    changes.push(...data.results);
    until = data.until;
  }
  return { changes, until, isComplete: false };
}

export async function showChanges() {
  const section = document.getElementById("changes");
  if (!section) return;
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
    updated.size > largest.length ? `The ${largest.length} largest changes are shown.` : "";
}
