// The charts: each is a table with a bar beside every number. A category is a button that filters.
import { $, h, reconcile } from "../atrium/dom.js";
import { FACETS, includes, totals } from "./facets.js";

const COUNT = { count: "Trends" };
// There are far fewer patents than publications, so each column has a scale of its own.
const MEASURES = { megatrend: { ...COUNT, publications: "Publications", patents: "Patents" } };
const number = (value) => value.toLocaleString("en");

// Draw the charts of `groups`, the answer of summary/, into their places on the page.
export function drawCharts(groups, state, toggle) {
  for (const facet of FACETS) {
    const measures = MEASURES[facet.name] ?? COUNT;
    const body = frame(facet, measures, toggle);
    const rows = totals(facet, groups, state);
    const most = Object.fromEntries(Object.keys(measures).map((key) => [key, Math.max(1, ...rows.map((row) => row[key]))]));
    for (const scale of body.parentElement.querySelectorAll("[data-scale]")) scale.textContent = groups.length ? `0 to ${number(most[scale.dataset.scale])}` : "";
    reconcile(body, rows, ({ value, label }) => [value, "", () => line(value, label, measures)]);
    for (const [index, row] of rows.entries()) update(body.children[index], row, most, state[facet.name]);
  }
}

function frame(facet, measures, toggle) {
  const box = $(`chart-${facet.name}`);
  const made = box.querySelector("tbody");
  if (made) return made;
  const body = h("tbody");
  body.addEventListener("click", ({ target }) => {
    const row = target.closest("tr");
    if (row) toggle(facet.name, row.dataset.key);
  });
  const several = Object.keys(measures).length > 1;
  const heads = Object.entries(measures).map(([key, label]) => h("th", { scope: "col" }, label, several && h("span.scale.num", { "data-scale": key })));
  box.append(h("table", {}, h(several ? "thead" : "thead.visually-hidden", {}, h("tr", {}, h("th", { scope: "col" }, facet.title), ...heads)), body));
  return body;
}

function line(value, label, measures) {
  const cells = Object.entries(measures).map(([key, title]) =>
    h("td", { "data-measure": key, "data-label": title }, h("span.track", {}, h("span.bar")), h("span.num")),
  );
  return h("tr", {}, h("th", { scope: "row" }, h("button.choose", { type: "button", "data-focus": "" }, label)), ...cells);
}

// The bars of categories that are not selected are outlined.
function update(row, values, most, selected) {
  const isOn = includes(selected, values.value);
  row.classList.toggle("off", selected.length > 0 && !isOn);
  row.querySelector("button").setAttribute("aria-pressed", String(isOn));
  for (const cell of row.querySelectorAll("[data-measure]")) {
    const value = values[cell.dataset.measure];
    cell.querySelector(".bar").style.inlineSize = `${(100 * value) / most[cell.dataset.measure]}%`;
    cell.lastChild.textContent = number(value);
  }
}
