// The charts: a picture drawn by Chart.js, and the same numbers as a table in which every category is a button.
/* global Chart */

export const STEEPL = { S: "Social", T: "Technological", E: "Economic, environmental", P: "Political", L: "Legal" };
const UNKNOWN = "none"; // how the API asks for trends whose readiness is empty
const SHOWN = 12; // categories drawn; the table has them all

class Facet {
  constructor(name, title, { values = null, labels = {}, wide = false } = {}) {
    Object.assign(this, { name, title, values, labels, wide });
  }

  value(group) {
    return group[this.name] || UNKNOWN;
  }

  label(value) {
    return this.labels[value] ?? value;
  }

  admits(group, chosen) {
    return !chosen || this.value(group).toLowerCase() === chosen.toLowerCase();
  }
}

export const FACETS = [
  new Facet("megatrend", "Megatrend", { wide: true }),
  new Facet("steepl", "STEEPL", {
    values: Object.keys(STEEPL),
    labels: Object.fromEntries(Object.entries(STEEPL).map(([letter, name]) => [letter, `${letter} · ${name}`])),
  }),
  new Facet("impact_strength", "Impact", { values: ["Low", "Medium", "High"] }),
  new Facet("technology_readiness_level", "Readiness", {
    values: ["Pilot", "Development", "Deploy", UNKNOWN],
    labels: { [UNKNOWN]: "Not stated" },
  }),
];
const [MEGATREND] = FACETS;

const CHARTS = [
  ...FACETS.map((facet) => ({ id: facet.name, facet, title: `Trends by ${titled(facet)}`, series: [["count", "Trends"]] })),
  {
    id: "output",
    facet: MEGATREND,
    wide: true,
    title: "Publications against patents, by megatrend",
    series: [["publications", "Publications"], ["patents", "Patents"]],
  },
];
const drawn = new Map();

function titled(facet) {
  return facet.name === "steepl" ? "STEEPL" : facet.title.toLowerCase();
}

// What each category comes to, under the choices made in all the other facets.
function count(facet, groups, state) {
  const sums = new Map((facet.values ?? []).map((value) => [value, { count: 0, publications: 0, patents: 0 }]));
  for (const group of groups) {
    if (!FACETS.every((other) => other === facet || other.admits(group, state[other.name]))) continue;
    const value = facet.value(group);
    if (!sums.has(value)) sums.set(value, { count: 0, publications: 0, patents: 0 });
    const sum = sums.get(value);
    for (const key of Object.keys(sum)) sum[key] += group[key];
  }
  const rows = [...sums].map(([value, sum]) => ({ value, label: facet.label(value), ...sum }));
  return facet.values ? rows : rows.sort((a, b) => b.count - a.count || a.value.localeCompare(b.value));
}

export function drawCharts(box, groups, state, toggle) {
  for (const chart of CHARTS) {
    if (!drawn.has(chart.id)) {
      drawn.set(chart.id, frame(chart));
      box.append(drawn.get(chart.id).figure);
    }
    const parts = drawn.get(chart.id);
    const rows = count(chart.facet, groups, state);
    paint(parts, chart, rows.slice(0, SHOWN), state[chart.facet.name], toggle);
    fill(parts, chart, rows, state[chart.facet.name], toggle);
  }
}

function frame(chart) {
  const figure = document.createElement("figure");
  figure.className = `chart${chart.wide || chart.facet.wide ? " wide" : ""}`;
  figure.id = `chart-${chart.id}`;
  const caption = document.createElement("figcaption");
  const title = document.createElement("h2");
  title.textContent = chart.title;
  caption.append(title);
  const plot = document.createElement("div");
  plot.className = "plot";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  plot.append(canvas);
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "The numbers, to choose from";
  const table = document.createElement("table");
  details.append(summary, table);
  figure.append(caption, plot, details);
  return { figure, plot, canvas, table, picture: null };
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { series: [read("--chart-1"), read("--chart-2")], ink: read("--ink"), muted: read("--muted"), line: read("--line"), surface: read("--surface") };
}

// The second series is striped, so that the two are told apart without colour.
function striped(context, colour, ground) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = ground;
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = colour;
  pen.lineWidth = 2.5;
  pen.beginPath();
  for (const shift of [-8, 0, 8]) {
    pen.moveTo(shift, 8);
    pen.lineTo(shift + 8, 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}

const same = (one, other) => one.toLowerCase() === other.toLowerCase();

function paint(parts, chart, rows, chosen, toggle) {
  const tone = colours();
  const narrow = parts.plot.clientWidth < 420;
  const context = parts.canvas.getContext("2d");
  const datasets = chart.series.map(([key, label], place) => ({
    label,
    data: rows.map((row) => row[key]),
    // What is not chosen is left empty, not only paler.
    backgroundColor: rows.map((row) => {
      if (chosen && !same(row.value, chosen)) return tone.surface;
      return place ? striped(context, tone.series[place], tone.surface) : tone.series[place];
    }),
    borderColor: tone.series[place],
    borderWidth: 1.5,
    borderRadius: 2,
    maxBarThickness: 26,
  }));
  parts.plot.style.height = `${rows.length * (chart.series.length > 1 ? 46 : 34) + (chart.series.length > 1 ? 78 : 40)}px`;
  parts.canvas.setAttribute("aria-label", `${chart.title}. The same numbers stand in the table below.`);
  parts.rows = rows;
  parts.toggle = (place) => toggle(chart.facet.name, parts.rows[place].value);
  const labels = rows.map((row) => (narrow ? lines(row.label) : row.label));
  if (parts.picture) {
    parts.picture.data = { labels, datasets };
    parts.picture.options = options(parts, chart, tone);
    parts.picture.update(matchMedia("(prefers-reduced-motion: reduce)").matches ? "none" : undefined);
    parts.picture.resize();
    return;
  }
  Chart.defaults.font.family = "system-ui, sans-serif";
  parts.picture = new Chart(context, {
    type: "bar",
    data: { labels, datasets },
    options: options(parts, chart, tone),
    plugins: [figures],
  });
}

function options(parts, chart, tone) {
  return {
    indexAxis: "y",
    maintainAspectRatio: false,
    animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? false : { duration: 250 },
    layout: { padding: { right: 56 } },
    color: tone.ink,
    scales: {
      x: { beginAtZero: true, border: { display: false }, grid: { color: tone.line }, ticks: { color: tone.muted, maxTicksLimit: 5, precision: 0, maxRotation: 0, callback: compact } },
      y: { border: { color: tone.muted }, grid: { display: false }, ticks: { color: tone.ink, autoSkip: false } },
    },
    plugins: { legend: { display: chart.series.length > 1, align: "start", labels: { color: tone.ink } } },
    onClick: (event, _hit, picture) => {
      const [nearest] = picture.getElementsAtEventForMode(event, "y", { axis: "y", intersect: false }, true);
      if (nearest) parts.toggle(nearest.index);
    },
  };
}

// A label of at most two short lines, for a narrow chart.
function lines(label, width = 18) {
  if (label.length <= width) return label;
  const cut = label.lastIndexOf(" ", width);
  if (cut < 4) return `${label.slice(0, width - 1)}…`;
  const rest = label.slice(cut + 1);
  return [label.slice(0, cut), rest.length > width ? `${rest.slice(0, width - 1)}…` : rest];
}

function compact(value) {
  return new Intl.NumberFormat("en", { notation: "compact" }).format(value);
}

// Writes each bar's number at its end.
const figures = {
  id: "figures",
  afterDatasetsDraw(picture) {
    const pen = picture.ctx;
    const tone = colours();
    pen.save();
    pen.fillStyle = tone.ink;
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    picture.data.datasets.forEach((dataset, place) => {
      picture.getDatasetMeta(place).data.forEach((bar, index) => {
        pen.fillText(compact(dataset.data[index]), bar.x + 6, bar.y);
      });
    });
    pen.restore();
  },
};

function fill(parts, chart, rows, chosen, toggle) {
  const focused = parts.table.contains(document.activeElement) ? document.activeElement.dataset.value : null;
  const head = document.createElement("thead");
  const titles = document.createElement("tr");
  for (const title of [chart.facet.title, ...chart.series.map(([, label]) => label)]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    if (title !== chart.facet.title) cell.className = "num";
    titles.append(cell);
  }
  head.append(titles);
  const body = document.createElement("tbody");
  for (const row of rows) {
    const line = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "choose";
    button.dataset.value = row.value;
    button.textContent = row.label;
    button.setAttribute("aria-pressed", String(Boolean(chosen) && same(row.value, chosen)));
    button.addEventListener("click", () => toggle(chart.facet.name, row.value));
    name.append(button);
    line.append(name);
    for (const [key] of chart.series) {
      const cell = document.createElement("td");
      cell.className = "num";
      cell.textContent = row[key].toLocaleString("en");
      line.append(cell);
    }
    body.append(line);
  }
  parts.table.replaceChildren(head, body);
  if (focused) [...parts.table.querySelectorAll("button")].find((each) => each.dataset.value === focused)?.focus();
}
