// The table of trends: a row each, and under it, on demand, its long texts.
import { STEEPL } from "./charts.js";

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
    const cell = element("td", "No trend fits these filters.", { colspan: "8" });
    body.replaceChildren(element("tr"));
    body.firstChild.append(cell);
    body.closest(".table-wrap").scrollLeft = 0; // where the words are
    return;
  }
  body.replaceChildren(...trends.flatMap(row));
}

function row(trend) {
  const line = element("tr");
  const head = element("th", trend.megatrend, { scope: "row" });
  const more = element("tr", "", { class: "more", id: `more-${trend.id}` });
  more.hidden = true;
  const button = element("button", "More", {
    type: "button",
    class: "button quiet small",
    "aria-expanded": "false",
    "aria-controls": more.id,
    "aria-label": `More of ${trend.macrotrend}`,
  });
  button.addEventListener("click", () => {
    if (!more.firstChild) more.append(details(trend));
    more.hidden = !more.hidden;
    button.setAttribute("aria-expanded", String(!more.hidden));
    button.textContent = more.hidden ? "More" : "Less";
  });
  const last = element("td");
  last.append(button);
  line.append(
    head,
    element("td", trend.macrotrend),
    element("td", trend.steepl, { title: STEEPL[trend.steepl] }),
    element("td", trend.impact_strength),
    element("td", trend.technology_readiness_level || "–"),
    element("td", number(trend.total_count_of_publications), { class: "num" }),
    element("td", number(trend.total_count_of_patents), { class: "num" }),
    last,
  );
  return [line, more];
}

function details(trend) {
  const cell = element("td", "", { colspan: "8" });
  const list = element("dl", "", { class: "facts" });
  for (const [name, title] of Object.entries(TEXTS)) {
    list.append(element("dt", title), element("dd", trend[name] || "–"));
  }
  cell.append(list);
  return cell;
}
