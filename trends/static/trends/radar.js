// The radar: a drawing in SVG with the same groups as a table, and a file to download.
import { STEEPL, includes } from "./facets.js";
import { layout, REACH, SHAPES } from "./radar-layout.js";

const SVG = "http://www.w3.org/2000/svg";
const FONT = 'system-ui, "Noto Sans", "Liberation Sans", sans-serif';
const NEAR = 14; // pixels around a small mark that belong to it
const SIZES = {
  both: ["Publications and patents", (group) => group.publications + group.patents],
  publications: ["Publications", (group) => group.publications],
  patents: ["Patents", (group) => group.patents],
};
const byId = (id) => document.getElementById(id);
const figure = (value) => value.toLocaleString("en");
const readiness = (value) => value || "Unknown";
const key = (group) => JSON.stringify([group.megatrend, group.macrotrend, group.steepl, group.technology_readiness_level, group.impact_strength]);

let data = { groups: [], total_groups: 0 };
let selected = [];
let toggle = () => {};
let drawn = { marks: [] };
let active = -1;

function make(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [each, value] of Object.entries(attributes)) made.setAttribute(each, value);
  if (text) made.textContent = text;
  return made;
}

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [each, value] of Object.entries(attributes)) made.setAttribute(each, value);
  return made;
}

// The present values of custom properties. They hold a colour for each theme; only as the colour of an element are they
// one colour.
function colours() {
  const probe = document.body.appendChild(document.createElement("span"));
  const read = {};
  for (const name of ["chart-2", "chart-3", "chart-4", "ink", "muted", "line", "line-strong", "surface", "sunken", "accent"]) {
    probe.style.color = `var(--${name})`;
    read[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return { ...read, Low: read["chart-3"], Medium: read["chart-2"], High: read["chart-4"] };
}

function shape(kind, radius, attributes = {}) {
  const reach = radius * REACH[kind];
  if (kind === "circle") return make("circle", { r: reach.toFixed(2), ...attributes });
  const corners = kind === "square" ? [0.25, 0.75, 1.25, 1.75] : [-0.5, 1 / 6, 5 / 6];
  const points = corners.map((turn) => [Math.cos(turn * Math.PI), Math.sin(turn * Math.PI)].map((side) => (side * reach).toFixed(2)).join(","));
  return make("polygon", { points: points.join(" "), "stroke-linejoin": "round", ...attributes });
}

function sector(inner, outer, start, end) {
  const at = (radius, angle) => `${(radius * Math.cos(angle)).toFixed(2)} ${(radius * Math.sin(angle)).toFixed(2)}`;
  const large = end - start > Math.PI ? 1 : 0;
  return `M${at(inner, start)} L${at(outer, start)} A${outer} ${outer} 0 ${large} 1 ${at(outer, end)} L${at(inner, end)} A${inner} ${inner} 0 ${large} 0 ${at(inner, start)} Z`;
}

// Draws `groups` for a width in pixels. All colours are attributes, so that a downloaded file looks the same.
function draw(groups, { width, value, tone, isSelected }) {
  const wide = width >= 700;
  const radius = wide ? Math.min((width - 320) / 2, 380) : width / 2 - 22;
  const height = 2 * radius + (wide ? 76 : 48);
  const labels = (ring) => ({ x: 0, y: -ring.outer + 10, width: readiness(ring.name).length * 6.6 + 8, height: 16 });
  const plan = layout(groups, { radius, value, labels });
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "font-family": FONT });
  const centre = make("g", { transform: `translate(${width / 2} ${height / 2})` });
  svg.append(centre);
  for (const [index, { start, end }] of plan.sectors.entries()) {
    const fill = index % 2 ? tone.sunken : tone.surface;
    centre.append(make("path", { d: sector(plan.rings[0].inner, radius, start, end), fill, "fill-opacity": 0.6, stroke: tone.line }));
  }
  for (const ring of plan.rings) centre.append(make("circle", { r: ring.outer.toFixed(2), fill: "none", stroke: tone["line-strong"], "stroke-width": 1 }));
  for (const { name, start, end } of plan.sectors) {
    const middle = (start + end) / 2;
    const side = Math.cos(middle);
    const anchor = !wide || Math.abs(side) < 0.2 ? "middle" : side > 0 ? "start" : "end";
    const place = radius + (wide ? 12 : 13) + 4 * Math.abs(Math.sin(middle));
    const text = { x: (place * side).toFixed(1), y: (place * Math.sin(middle) + 5).toFixed(1), "text-anchor": anchor, "font-size": 14, "font-weight": 600, fill: tone.ink };
    const label = make("text", text);
    // A name of two words would not fit beside the radar in one line.
    for (const [line, part] of (wide ? STEEPL[name].split(/(?<=,) /) : [name]).entries()) {
      label.append(make("tspan", { x: text.x, dy: line ? 17 : 0 }, part));
    }
    centre.append(label);
  }
  for (const ring of plan.rings) {
    const box = labels(ring);
    centre.append(make("rect", { x: box.x - box.width / 2, y: box.y - 8, width: box.width, height: 16, rx: 3, fill: tone.surface, "fill-opacity": 0.9 }));
    centre.append(make("text", { x: 0, y: box.y + 4, "text-anchor": "middle", "font-size": 11, fill: tone.muted }, readiness(ring.name)));
  }
  for (const mark of plan.marks) {
    const colour = tone[mark.group.impact_strength];
    const isOn = isSelected(mark.group);
    const g = make("g", { transform: `translate(${mark.x.toFixed(2)} ${mark.y.toFixed(2)})` });
    g.append(shape(mark.shape, mark.radius, { fill: isOn ? colour : tone.surface, "fill-opacity": isOn ? 0.35 : 1, stroke: colour, "stroke-width": mark.radius < 4 ? 1.2 : 1.6, "stroke-opacity": isOn ? 1 : 0.45 }));
    if (mark.radius >= 9) g.append(make("text", { y: 4, "text-anchor": "middle", "font-size": 11, fill: isOn ? tone.ink : tone.muted }, String(mark.number)));
    mark.element = g;
    centre.append(g);
  }
  return { svg, centre, marks: plan.marks, width, height, radius };
}

const sentence = ({ group }) => [
  `${group.macrotrend}.`, `${group.megatrend}.`,
  `${STEEPL[group.steepl]}, readiness ${readiness(group.technology_readiness_level)}, impact ${group.impact_strength}.`,
  amounts(group),
].join(" ");

const amounts = (group) =>
  `${figure(group.trends)} ${group.trends === 1 ? "trend" : "trends"}, ${figure(group.publications)} publications, ${figure(group.patents)} patents.`;

function sized() {
  return SIZES[byId("radar-size").value] ?? SIZES.both;
}

const isOn = (group) => !selected.length || includes(selected, group.macrotrend);

function show() {
  const plot = byId("radar-plot");
  const width = Math.floor(plot.clientWidth);
  if (!width) return;
  const held = drawn.marks.find((mark) => mark.element === document.activeElement);
  const focused = held ? key(held.group) : null;
  drawn = draw(data.groups, { width, value: sized()[1], tone: colours(), isSelected: isOn });
  drawn.svg.setAttribute("role", "group");
  drawn.svg.setAttribute("aria-label", `Radar with ${drawn.marks.length} groups of trends`);
  drawn.svg.setAttribute("aria-describedby", "radar-help");
  drawn.ring = make("circle", { fill: "none", stroke: colours().accent, "stroke-width": 3, visibility: "hidden" });
  drawn.centre.append(drawn.ring);
  for (const [index, mark] of drawn.marks.entries()) {
    mark.element.setAttribute("role", "button");
    mark.element.setAttribute("tabindex", index ? "-1" : "0");
    mark.element.setAttribute("aria-label", sentence(mark));
    mark.element.setAttribute("aria-pressed", String(selected.length > 0 && isOn(mark.group)));
    mark.element.dataset.index = index;
    mark.element.classList.add("mark");
  }
  plot.querySelector("svg")?.remove();
  plot.prepend(drawn.svg);
  point(-1);
  const again = focused ? drawn.marks.findIndex((mark) => key(mark.group) === focused) : -1;
  if (again >= 0) move(again);
}

// Shows the values of a mark beside it, and a ring around it; -1 hides both.
function point(index) {
  active = index;
  const tip = byId("radar-tip");
  const mark = drawn.marks[index];
  tip.hidden = !mark;
  drawn.ring?.setAttribute("visibility", mark ? "visible" : "hidden");
  if (!mark) return;
  for (const [name, value] of Object.entries({ cx: mark.x, cy: mark.y, r: mark.radius * REACH[mark.shape] + 4 })) drawn.ring.setAttribute(name, value.toFixed(2));
  const { group } = mark;
  const place = `${STEEPL[group.steepl]} · ${readiness(group.technology_readiness_level)} · ${group.impact_strength} impact`;
  tip.replaceChildren(element("strong", group.macrotrend), element("span", group.megatrend), element("span", place), element("span", amounts(group)));
  const x = drawn.width / 2 + mark.x;
  const y = drawn.height / 2 + mark.y;
  const reach = mark.radius * REACH[mark.shape] + 10;
  tip.style.left = `${Math.max(0, Math.min(x - tip.offsetWidth / 2, drawn.width - tip.offsetWidth))}px`;
  tip.style.top = `${y - reach - tip.offsetHeight > 0 ? y - reach - tip.offsetHeight : y + reach}px`;
}

function nearest(event) {
  const box = drawn.svg.getBoundingClientRect();
  const x = event.clientX - box.left - drawn.width / 2;
  const y = event.clientY - box.top - drawn.height / 2;
  let found = -1;
  let least = Infinity;
  for (const [index, mark] of drawn.marks.entries()) {
    const distance = Math.hypot(mark.x - x, mark.y - y) - mark.radius * REACH[mark.shape];
    if (distance < least && distance <= Math.max(NEAR - mark.radius, 2)) [found, least] = [index, distance];
  }
  return found;
}

function move(index) {
  for (const [each, mark] of drawn.marks.entries()) mark.element.setAttribute("tabindex", each === index ? "0" : "-1");
  drawn.marks[index].element.focus({ preventScroll: false });
  point(index);
}

function choose(index) {
  if (drawn.marks[index]) toggle(drawn.marks[index].group.macrotrend);
}

function onKey(event) {
  const index = Number(event.target.closest?.("[data-index]")?.dataset.index ?? -1);
  if (index < 0) return;
  const last = drawn.marks.length - 1;
  const steps = { ArrowRight: index + 1, ArrowDown: index + 1, ArrowLeft: index - 1, ArrowUp: index - 1, Home: 0, End: last };
  if (event.key in steps) move((steps[event.key] + drawn.marks.length) % drawn.marks.length);
  else if (event.key === "Enter" || event.key === " ") choose(index);
  else if (event.key === "Escape") point(-1);
  else return;
  event.preventDefault();
}

function fill() {
  const table = byId("radar-table");
  const focused = table.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const body = element("tbody");
  for (const { group, number } of drawn.marks) {
    const line = element("tr");
    const name = element("th", "", { scope: "row" });
    const button = element("button", group.macrotrend, { type: "button", class: "choose", "data-key": key(group), "aria-pressed": String(includes(selected, group.macrotrend)) });
    button.addEventListener("click", () => toggle(group.macrotrend));
    name.append(button);
    line.append(element("td", String(number), { class: "num" }), name, element("td", group.megatrend));
    line.append(element("td", STEEPL[group.steepl]), element("td", readiness(group.technology_readiness_level)), element("td", group.impact_strength));
    for (const value of [group.trends, group.publications, group.patents]) line.append(element("td", figure(value), { class: "num" }));
    body.append(line);
  }
  table.querySelector("tbody")?.remove();
  table.append(body);
  if (focused) [...table.querySelectorAll("button")].find((each) => each.dataset.key === focused)?.focus();
}

function legend(tone) {
  return Object.entries(SHAPES).map(([impact, kind]) => {
    const icon = make("svg", { viewBox: "-12 -12 24 24", width: 20, height: 20, "aria-hidden": "true" });
    icon.append(shape(kind, 6.5, { fill: tone[impact], "fill-opacity": 0.35, stroke: tone[impact], "stroke-width": 1.6 }));
    const item = element("li");
    item.append(icon, `${impact} impact`);
    return item;
  });
}

// The file has a title, a legend, and the values of each mark, which browsers show on hover.
function file() {
  const tone = colours();
  const chart = draw(data.groups, { width: 1100, value: sized()[1], tone, isSelected: isOn });
  const { svg, width, height } = chart;
  for (const mark of chart.marks) mark.element.prepend(make("title", {}, sentence(mark)));
  svg.setAttribute("xmlns", SVG);
  svg.setAttribute("viewBox", `0 -56 ${width} ${height + 116}`);
  svg.setAttribute("height", height + 116);
  svg.prepend(
    make("title", {}, "Trends radar"),
    make("rect", { y: -56, width, height: height + 116, fill: tone.surface }),
    make("text", { x: 24, y: -20, "font-size": 22, "font-weight": 600, fill: tone.ink }, "Trends radar"),
  );
  for (const [index, [impact, kind]] of Object.entries(SHAPES).entries()) {
    const item = make("g", { transform: `translate(${36 + index * 150} ${height + 28})` });
    item.append(shape(kind, 7, { fill: tone[impact], "fill-opacity": 0.35, stroke: tone[impact], "stroke-width": 1.6 }), make("text", { x: 18, y: 5, "font-size": 14, fill: tone.ink }, `${impact} impact`));
    svg.append(item);
  }
  svg.append(make("text", { x: width - 24, y: height + 33, "text-anchor": "end", "font-size": 14, fill: tone.muted }, `Size: ${sized()[0].toLowerCase()}`));
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(svg)}\n`;
}

function download() {
  const link = element("a", "", { download: "trends-radar.svg" });
  link.href = URL.createObjectURL(new Blob([file()], { type: "image/svg+xml" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Shows `radar`, the answer of radar/, with the macrotrends `names` selected.
export function showRadar(radar, names) {
  data = radar;
  selected = names;
  const count = data.groups.length;
  byId("radar-count").textContent = count < data.total_groups
    ? `The ${figure(count)} largest of ${figure(data.total_groups)} groups.`
    : `${figure(count)} ${count === 1 ? "group" : "groups"}.`;
  byId("radar-legend").replaceChildren(...legend(colours()));
  show();
  fill();
  byId("radar").removeAttribute("aria-busy");
}

export function prepareRadar(onToggle) {
  toggle = onToggle;
  const plot = byId("radar-plot");
  plot.addEventListener("pointermove", (event) => {
    const index = nearest(event);
    plot.classList.toggle("over", index >= 0);
    if (index !== active) point(index);
  });
  plot.addEventListener("pointerleave", () => point(-1));
  plot.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-index]");
    choose(mark ? Number(mark.dataset.index) : nearest(event));
  });
  plot.addEventListener("keydown", onKey);
  plot.addEventListener("focusin", (event) => {
    const mark = event.target.closest("[data-index]");
    if (mark) point(Number(mark.dataset.index));
  });
  plot.addEventListener("focusout", () => point(-1));
  byId("radar-size").addEventListener("change", () => { show(); fill(); });
  byId("radar-download").addEventListener("click", download);
  let width = 0;
  new ResizeObserver(() => {
    if (plot.clientWidth !== width && (data.groups.length || width)) show();
    width = plot.clientWidth;
  }).observe(plot);
}
