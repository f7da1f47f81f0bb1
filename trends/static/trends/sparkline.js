// A line of the counts of a trend over time: publications solid, patents dashed, each on its own scale.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 72;
const HEIGHT = 24;

function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Unknown counts are gaps.
function path(values) {
  const known = values.filter((value) => value !== null);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  let pen = "M";
  return values
    .map((value, index) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const x = 3 + (index * (WIDTH - 6)) / (values.length - 1);
      const y = most === least ? HEIGHT / 2 : HEIGHT - 3 - ((value - least) * (HEIGHT - 6)) / (most - least);
      const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
      return step;
    })
    .join("");
}

const spoken = (values) => values.map((value) => (value === null ? "unknown" : value.toLocaleString("en"))).join(", ");

// `states` are pairs of publications and patents, the present one last. Returns null if the counts have never changed.
export function sparkline(states) {
  const series = [0, 1].map((place) => states.map((state) => state[place]));
  if (!series.some((values) => new Set(values).size > 1)) return null;
  const label = `Over time: publications ${spoken(series[0])}; patents ${spoken(series[1])}`;
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, class: "sparkline", role: "img", "aria-label": label });
  for (const [place, values] of series.entries()) {
    const kind = place ? "patents" : "publications";
    if (values.some((value) => value !== null)) svg.append(make("path", { d: path(values), class: kind }));
    const last = values.at(-1);
    if (last === null) continue;
    const [x, y] = path(values).split(/[ML]/).at(-1).split(" ");
    svg.append(make("circle", { cx: x, cy: y, r: 2, class: kind }));
  }
  const title = make("title", {});
  title.textContent = label;
  svg.prepend(title);
  return svg;
}
