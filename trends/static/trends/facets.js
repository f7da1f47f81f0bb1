// The columns that trends are filtered by.

export const STEEPL = { S: "Social", T: "Technological", E: "Economic, environmental", P: "Political", L: "Legal" };
const UNKNOWN = "none"; // the API's value for trends without a readiness level

const same = (one, other) => one.toLowerCase() === other.toLowerCase();
export const includes = (values, value) => values.some((each) => same(each, value));

class Facet {
  constructor(name, title, values = null, labels = {}) {
    Object.assign(this, { name, title, values, labels });
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

export const MEGATREND = new Facet("megatrend", "Megatrend");
export const MACROTREND = new Facet("macrotrend", "Macrotrend");
// Those of the groups of summary/. Macrotrends are those of radar/.
export const FACETS = [
  MEGATREND,
  new Facet("steepl", "STEEPL", Object.keys(STEEPL), Object.fromEntries(Object.entries(STEEPL).map(([letter, name]) => [letter, `${letter} · ${name}`]))),
  new Facet("impact_strength", "Impact", ["Low", "Medium", "High"]),
  new Facet("technology_readiness_level", "Readiness", ["Pilot", "Development", "Deploy", UNKNOWN], { [UNKNOWN]: "Unknown" }),
];
export const ALL = [MEGATREND, MACROTREND, ...FACETS.slice(1)];

// Sums of each category, filtered by all other facets. Every category of `groups` stays in its place, with zeros if need
// be, so that a selection moves nothing on the page.
export function totals(facet, groups, state) {
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
