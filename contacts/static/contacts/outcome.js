// The outcome of an upload or of a dry run: a bar of accepted, waiting and rejected rows, and the reasons.
import { h } from "../atrium/dom.js";
import { count, number, reason } from "./words.js";

const PARTS = [
  ["accepted", "accepted"],
  ["deferred", "had to wait"],
  ["rejected", "rejected"],
];

// A bar and its legend. The legend is a sum: accepted + waiting + rejected = rows.
export function outcome({ accepted, deferred, rejected, total_rows: total }, { isPreview = false } = {}) {
  const values = { accepted, deferred, rejected };
  const words = { ...Object.fromEntries(PARTS), ...(isPreview && { deferred: "wait first" }) };
  const parts = PARTS.filter(([name]) => values[name]).map(([name]) => {
    const part = h(`span.${name}`);
    part.style.flexGrow = values[name];
    return part;
  });
  const rest = total - accepted - deferred - rejected;
  if (rest > 0) {
    const part = h("span.open");
    part.style.flexGrow = rest;
    parts.push(part);
  }
  const bar = h("div.outcome-bar", { "aria-hidden": "true" }, ...parts);
  const legend = PARTS.map(([name], index) =>
    h("li", {}, h(`span.key.${name}`, { "aria-hidden": "true" }), h("strong.num", {}, number(values[name])), ` ${words[name]}${index < 2 ? "" : ""}`),
  );
  const sum = rest > 0 ? h("li", {}, h("span.key.open", { "aria-hidden": "true" }), h("strong.num", {}, number(rest)), " to do") : null;
  return h("div.outcome", {}, bar, h("ul.outcome-legend", { "aria-label": "Result" }, ...legend, sum ?? "", h("li.sum", {}, "= ", h("strong.num", {}, count(total, "row")))));
}

// The reasons with how many rows have each, most frequent first.
export function reasons(list) {
  return h("ul.reasons", { "aria-label": "Reasons" }, ...list.map(({ code, rows }) => h("li.badge.danger", {}, reason(code), h("span.num", {}, `× ${number(rows)}`))));
}
