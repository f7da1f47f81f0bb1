// The charts: each is drawn by Chart.js and repeated as a table in which every category is a button.
/* global Chart */

export const STEEPL = { S: "Social", T: "Technological", E: "Economic, environmental", P: "Political", L: "Legal" };
const UNKNOWN = "none"; // the API's value for trends without a readiness level
const SHOWN = 12; // categories drawn; the table has them all

const same = (one, other) => one.toLowerCase() === other.toLowerCase();
export const includes = (values, value) => values.some((each) => same(each, value));

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

  matches(group, selected) {
    return !selected.length || includes(selected, this.value(group));
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
    labels: { [UNKNOWN]: "Unknown" },
  }),
];
const [MEGATREND] = FACETS;

const CHARTS = [
  ...FACETS.map((facet) => ({ id: facet.name, facet, title: `Trends by ${titled(facet)}`, series: [["count", "Trends"]] })),
  {
    id: "output",
    facet: MEGATREND,
    wide: true,
    title: "Publications and patents by megatrend",
    series: [["publications", "Publications"], ["patents", "Patents"]],
    ownScales: true, // there are far fewer patents than publications
  },
];
const frames = new Map();

function titled(facet) {
  return facet.name === "steepl" ? "STEEPL" : facet.title.toLowerCase();
}

// Sums of each category, filtered by all other facets. Every category of `groups` stays in its place, with zeros if need
// be, so that a selection moves nothing on the page.
function count(facet, groups, state) {
  const rows = new Map((facet.values ?? []).map((value) => [value, newRow(facet, value)]));
  for (const group of groups) {
    const value = facet.value(group);
    if (!rows.has(value)) rows.set(value, newRow(facet, value));
    const row = rows.get(value);
    row.total += group.count;
    if (!FACETS.every((other) => other === facet || other.matches(group, state[other.name]))) continue;
    for (const key of ["count", "publications", "patents"]) row[key] += group[key];
  }
  const all = [...rows.values()];
  return facet.values ? all : all.sort((a, b) => b.total - a.total || a.value.localeCompare(b.value));
}

function newRow(facet, value) {
  return { value, label: facet.label(value), total: 0, count: 0, publications: 0, patents: 0 };
}

export function drawCharts(box, groups, state, toggle) {
  for (const chart of CHARTS) {
    if (!frames.has(chart.id)) {
      frames.set(chart.id, frame(chart));
      box.append(frames.get(chart.id).figure);
    }
    const parts = frames.get(chart.id);
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
  summary.textContent = "Show as table";
  const table = document.createElement("table");
  details.append(summary, table);
  figure.append(caption, plot, details);
  return { figure, plot, canvas, table, drawing: null };
}

// The present values of the custom properties `names`, such as "ink". They hold a colour for each theme; only as the
// colour of an element are they one colour.
export function readColours(names) {
  const probe = document.body.appendChild(document.createElement("span"));
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = Object.fromEntries(names.map((name) => [name, read(name)]));
  probe.remove();
  return colours;
}

function colours() {
  const { "chart-1": first, "chart-2": second, ...others } = readColours(["chart-1", "chart-2", "ink", "muted", "line", "surface"]);
  return { series: [first, second], ...others };
}

// The second series is striped, so that it differs without colour too.
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

function paint(parts, chart, rows, selected, toggle) {
  const tone = colours();
  const narrow = parts.plot.clientWidth < 420;
  const context = parts.canvas.getContext("2d");
  const datasets = chart.series.map(([key, label], index) => ({
    label,
    data: rows.map((row) => row[key]),
    xAxisID: chart.ownScales && index ? key : "x",
    // Categories that are not selected are outlined.
    backgroundColor: rows.map((row) => {
      if (selected.length && !includes(selected, row.value)) return tone.surface;
      return index ? striped(context, tone.series[index], tone.surface) : tone.series[index];
    }),
    borderColor: tone.series[index],
    borderWidth: 1.5,
    borderRadius: 2,
    maxBarThickness: 26,
  }));
  parts.plot.style.height = `${rows.length * (chart.series.length > 1 ? 46 : 34) + (chart.ownScales ? 150 : 40)}px`;
  parts.canvas.setAttribute("aria-label", `${chart.title}. The table below shows the same numbers.`);
  parts.rows = rows;
  parts.toggle = (index) => toggle(chart.facet.name, parts.rows[index].value);
  const labels = rows.map((row) => (narrow ? lines(row.label) : row.label));
  if (parts.drawing) {
    parts.drawing.data = { labels, datasets };
    parts.drawing.options = options(parts, chart, tone);
    parts.drawing.update(matchMedia("(prefers-reduced-motion: reduce)").matches ? "none" : undefined);
    parts.drawing.resize();
    return;
  }
  Chart.defaults.font.family = "system-ui, sans-serif";
  parts.drawing = new Chart(context, {
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
      ...Object.fromEntries(
        chart.series.slice(0, chart.ownScales ? 2 : 1).map(([key, label], index) => [
          index ? key : "x",
          {
            beginAtZero: true,
            position: index ? "top" : "bottom",
            title: { display: Boolean(chart.ownScales), text: label, color: tone.ink },
            border: { display: false },
            grid: { color: tone.line, display: !index },
            ticks: { color: tone.muted, maxTicksLimit: 5, precision: 0, maxRotation: 0, callback: compact },
          },
        ]),
      ),
      y: { border: { color: tone.muted }, grid: { display: false }, ticks: { color: tone.ink, autoSkip: false } },
    },
    plugins: { legend: { display: chart.series.length > 1, align: "start", labels: { color: tone.ink } } },
    onClick: (event, _hit, drawing) => {
      const [nearest] = drawing.getElementsAtEventForMode(event, "y", { axis: "y", intersect: false }, true);
      if (nearest) parts.toggle(nearest.index);
    },
  };
}

// A label of at most two short lines, for a narrow chart.
function lines(label, width = 16) {
  if (label.length <= width) return label;
  const cut = label.lastIndexOf(" ", width);
  if (cut < 4) return `${label.slice(0, width - 1)}…`;
  const rest = label.slice(cut + 1);
  return [label.slice(0, cut), rest.length > width ? `${rest.slice(0, width - 1)}…` : rest];
}

function compact(value) {
  return new Intl.NumberFormat("en", { notation: "compact" }).format(value);
}

// Writes the number at the end of each bar.
const figures = {
  id: "figures",
  afterDatasetsDraw(drawing) {
    const pen = drawing.ctx;
    const tone = colours();
    pen.save();
    pen.fillStyle = tone.ink;
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    drawing.data.datasets.forEach((dataset, series) => {
      drawing.getDatasetMeta(series).data.forEach((bar, index) => {
        pen.fillText(compact(dataset.data[index]), bar.x + 6, bar.y);
      });
    });
    pen.restore();
  },
};

function fill(parts, chart, rows, selected, toggle) {
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
    button.setAttribute("aria-pressed", String(includes(selected, row.value)));
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
