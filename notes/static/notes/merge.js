// Merge two versions of a note that both come from the same earlier one. Nothing here is guessed: what both changed in
// different ways is a conflict, which the user decides.

export const FIELDS = ["title", "body", "items", "color"];
export const BLANK = { title: "", body: "", items: [], color: "default" };

export const contentOf = (note) => Object.fromEntries(FIELDS.map((field) => [field, field === "items" ? note.items.map(({ text, checked }) => ({ text, checked })) : note[field]]));
export const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);
export const isEmpty = ({ title, body, items }) => !title.trim() && !body.trim() && items.every((item) => !item.text.trim());

// Returns { merged, conflicts }: the content, and the fields in which both differ (there `merged` has mine).
export function merge(base, mine, theirs) {
  const merged = {};
  const conflicts = [];
  for (const field of FIELDS) {
    const value = pick(base[field], mine[field], theirs[field]) ?? (field === "items" ? mergeItems(base.items, mine.items, theirs.items) : undefined);
    if (value === undefined || value === null) conflicts.push(field);
    merged[field] = value ?? mine[field];
  }
  return { merged, conflicts };
}

function pick(base, mine, theirs) {
  if (same(mine, theirs) || same(theirs, base)) return mine;
  return same(mine, base) ? theirs : undefined;
}

// Merge checklists: by position if both only changed or appended items; if one only ticked items, by their text.
function mergeItems(base, mine, theirs) {
  if (isAligned(base, mine) && isAligned(base, theirs)) {
    const items = base.map((item, index) => {
      const text = pick(item.text, mine[index].text, theirs[index].text);
      const checked = pick(item.checked, mine[index].checked, theirs[index].checked);
      return text === undefined || checked === undefined ? null : { text, checked };
    });
    return items.includes(null) ? null : [...items, ...theirs.slice(base.length), ...mine.slice(base.length)];
  }
  if (onlyTicked(base, mine)) return withTicks(base, mine, theirs);
  if (onlyTicked(base, theirs)) return withTicks(base, theirs, mine);
  return null;
}

const onlyTicked = (base, side) => base.length === side.length && base.every((item, index) => item.text === side[index].text);
// At most one item has another text: two or more may mean that items were moved or inserted.
const isAligned = (base, side) => side.length >= base.length && base.filter((item, index) => item.text !== side[index].text).length <= 1;

function withTicks(base, ticked, other) {
  const changes = new Map(base.flatMap((item, index) => (item.checked === ticked[index].checked ? [] : [[item.text, ticked[index].checked]])));
  return other.map((item) => ({ ...item, checked: changes.get(item.text) ?? item.checked }));
}
