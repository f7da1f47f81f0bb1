// The list of trends: one row each, with its long texts below on demand.
import { getPageData } from "../atrium/site.js";
import { STEEPL } from "./facets.js";
import { sparkline } from "./sparkline.js";

const TEXTS = {
  challenges_and_research_gaps: "Challenges and research gaps",
  relevant_industries: "Relevant industries",
  real_world_application_and_use_cases: "Applications and use cases",
};

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const number = (value) => (value === null ? "–" : value.toLocaleString("en"));

export function showRows(body, trends) {
  if (!trends.length) {
    const line = element("tr", "", { role: "row" });
    line.append(element("td", "No trends match these filters.", { colspan: "9", role: "cell" }));
    body.replaceChildren(line);
    body.closest(".table-wrap").scrollLeft = 0; // where the message is
    return;
  }
  body.replaceChildren(...trends.flatMap(row));
  showHistories(body, trends);
}

// The list is complete without the lines, so an error leaves their cells as they are.
async function showHistories(body, trends) {
  const query = new URLSearchParams(trends.map((trend) => ["trend", trend.id]));
  try {
    for (const [id, states] of Object.entries(await getPageData(`/trends/counts/?${query}`))) {
      const line = sparkline(states);
      if (line) body.querySelector(`[data-history="${id}"]`)?.replaceChildren(line);
    }
  } catch (error) {
    console.warn(error.message);
  }
}

// On a phone each row is a card, so its cells carry their labels, and roles keep it a table for screen readers.
function cell(label, text, attributes = {}) {
  return element("td", text, { "data-label": label, role: "cell", ...attributes });
}

function row(trend) {
  const line = element("tr", "", { role: "row" });
  const more = element("tr", "", { class: "more", id: `more-${trend.id}`, role: "row" });
  more.hidden = true;
  const button = element("button", "Details", {
    type: "button",
    class: "button quiet small",
    "aria-expanded": "false",
    "aria-controls": more.id,
    "aria-label": `Details of ${trend.macrotrend}`,
  });
  button.addEventListener("click", () => {
    if (!more.firstChild) more.append(details(trend));
    more.hidden = !more.hidden;
    button.setAttribute("aria-expanded", String(!more.hidden));
    button.textContent = more.hidden ? "Details" : "Hide";
  });
  const last = element("td", "", { role: "cell", class: "actions" });
  last.append(button);
  line.append(
    element("th", trend.megatrend, { scope: "row", role: "rowheader" }),
    macrotrend(trend),
    cell("STEEPL", trend.steepl, { title: STEEPL[trend.steepl] }),
    cell("Impact", trend.impact_strength),
    cell("Readiness", trend.technology_readiness_level || "–"),
    cell("Publications", number(trend.total_count_of_publications), { class: "num" }),
    cell("Patents", number(trend.total_count_of_patents), { class: "num" }),
    cell("Over time", "–", { "data-history": trend.id }),
    last,
  );
  return [line, more];
}

// The link keeps the filters, for the way back.
function macrotrend(trend) {
  const box = cell("Macrotrend", "", { class: "name" });
  box.append(element("a", trend.macrotrend, { href: `/trends/${trend.id}/${location.search}` }));
  return box;
}

function details(trend) {
  const box = element("td", "", { colspan: "9", role: "cell" });
  const list = element("dl", "", { class: "facts" });
  for (const [name, title] of Object.entries(TEXTS)) {
    list.append(element("dt", title), element("dd", trend[name] || "–"));
  }
  box.append(list);
  return box;
}
