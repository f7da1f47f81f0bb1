// Places groups on the radar: a sector for each STEEPL letter, a ring for each readiness, no two marks on each other.
//
// Sectors and rings with more to show are larger. All sizes shrink by the same factor until every mark has its place, so
// that sizes can be compared over the whole radar. The same groups are always placed alike.

export const SECTORS = ["S", "T", "E", "P", "L"];
export const RINGS = ["Deploy", "Development", "Pilot", ""]; // from the centre
export const SHAPES = { Low: "circle", Medium: "square", High: "triangle" };
// How far a shape reaches from its centre, in radii of the circle with the same area.
export const REACH = { circle: 1, square: 1.2533, triangle: 1.5551 };
const GAP = 1.5; // between two marks, and between a mark and a line
const TRIES = 400;
const TOP = -Math.PI / 2;

export function layout(groups, { radius, value, labels }) {
  const most = Math.max(1, ...groups.map(value));
  const largest = Math.min(Math.max(radius * 0.085, 9), 30);
  const smallest = Math.min(Math.max(radius * 0.016, 3), 6);
  const marks = groups.map((group) => {
    const shape = SHAPES[group.impact_strength] ?? "circle";
    return { group, shape, value: value(group), wanted: smallest + (largest - smallest) * Math.sqrt(value(group) / most) };
  });
  const shown = RINGS.filter((ring) => ring || groups.some((group) => !group.technology_readiness_level));
  const need = (list) => list.reduce((sum, mark) => sum + (mark.wanted * REACH[mark.shape] + GAP) ** 2, 0);
  const total = need(marks) || 1;
  const part = (key, name) => need(marks.filter((mark) => mark.group[key] === name)) / total;

  let angle = TOP;
  const sectors = SECTORS.map((name) => {
    const start = angle;
    angle += 2 * Math.PI * (0.55 / SECTORS.length + 0.45 * (marks.length ? part("steepl", name) : 1 / SECTORS.length));
    return { name, start, end: angle };
  });
  const hole = radius * 0.06;
  const bounds = [];
  let area = 0;
  for (const name of shown) {
    area += 0.3 / shown.length + 0.7 * (marks.length ? part("technology_readiness_level", name) : 1 / shown.length);
    bounds.push(Math.sqrt(hole ** 2 + area * (radius ** 2 - hole ** 2)));
  }
  // Each ring has room for its label.
  const depths = bounds.map((bound, index) => Math.max(bound - (bounds[index - 1] ?? hole), 0.15 * radius));
  const stretch = (radius - hole) / depths.reduce((sum, depth) => sum + depth, 0);
  let edge = hole;
  const rings = shown.map((name, index) => {
    const inner = edge;
    edge += depths[index] * stretch;
    return { name, inner, outer: edge };
  });
  const obstacles = rings.map((ring) => labels(ring));

  const cells = sectors.flatMap((sector) =>
    rings.map((ring) => ({
      sector,
      ring,
      marks: marks
        .filter((mark) => mark.group.steepl === sector.name && mark.group.technology_readiness_level === ring.name)
        .sort((a, b) => b.wanted * REACH[b.shape] - a.wanted * REACH[a.shape] || name(a).localeCompare(name(b))),
    })),
  );
  let scale = 1;
  for (const cell of cells) {
    const room = ((cell.sector.end - cell.sector.start) / 2) * (cell.ring.outer ** 2 - cell.ring.inner ** 2);
    scale = Math.min(scale, Math.sqrt((0.6 * room) / (Math.PI * (need(cell.marks) || 1))));
  }
  while (!cells.every((cell) => place(cell, obstacles, scale))) scale *= 0.93;
  return { sectors, rings, marks: cells.flatMap((cell) => cell.marks).map((mark, index) => ({ ...mark, number: index + 1 })) };
}

const name = (mark) => `${mark.group.macrotrend} ${mark.group.megatrend} ${mark.group.impact_strength}`;

function place({ sector, ring, marks }, obstacles, scale) {
  const placed = [];
  const gap = Math.min(GAP, GAP * 2 * scale);
  let tried = 0;
  for (const mark of marks) {
    const radius = mark.wanted * scale;
    const reach = radius * REACH[mark.shape] + gap;
    let found = null;
    for (let attempt = 0; attempt < TRIES && !found; attempt++, tried++) {
      // A sequence that fills the cell evenly (Roberts' R2): the first point is the middle.
      const across = (0.5 + tried * 0.7548776662466927) % 1;
      const along = (0.5 + tried * 0.5698402909980532) % 1;
      const inner = Math.max(ring.inner, 0) + reach;
      const outer = ring.outer - reach;
      if (outer < inner) return false;
      const distance = Math.sqrt(inner ** 2 + across * (outer ** 2 - inner ** 2));
      const margin = reach < distance ? Math.asin(reach / distance) : Math.PI;
      if (sector.end - sector.start < 2 * margin) continue;
      const angle = sector.start + margin + along * (sector.end - sector.start - 2 * margin);
      const x = distance * Math.cos(angle);
      const y = distance * Math.sin(angle);
      const isFree =
        placed.every((other) => Math.hypot(other.x - x, other.y - y) >= other.reach + reach - gap) &&
        obstacles.every((box) => Math.abs(x - box.x) > box.width / 2 + reach || Math.abs(y - box.y) > box.height / 2 + reach);
      if (isFree) found = { x, y, reach };
    }
    if (!found) return false;
    placed.push(found);
    Object.assign(mark, { x: found.x, y: found.y, radius });
  }
  return true;
}
