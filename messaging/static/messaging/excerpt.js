// The part of a message that contains the words of a search.

const BEFORE = 50; // characters before the first word that was found
const LENGTH = 180;
const MARK = /\p{M}/gu;

// Split an excerpt of `text` into strings and { found } for the words of `query`, without regard to case and accents.
export function excerpt(text, query) {
  const line = text.replace(/\s+/gu, " ").trim();
  const found = ranges(line, query);
  const [start, end] = bounds(line, found[0]?.[0] ?? 0);
  const parts = [];
  let at = start;
  for (const [from, to] of found) {
    if (from < at || to > end) continue;
    if (from > at) parts.push(line.slice(at, from));
    parts.push({ found: line.slice(from, to) });
    at = to;
  }
  parts.push(line.slice(at, end));
  return [...(start ? ["…"] : []), ...parts.filter((each) => each !== ""), ...(end < line.length ? ["…"] : [])];
}

// Where the words are in `line`: [from, to), in order and without overlap.
function ranges(line, query) {
  const { folded, origin } = fold(line);
  const all = [];
  for (const word of new Set(fold(query).folded.split(/\s+/u).filter(Boolean))) {
    for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + word.length)) {
      all.push([origin[at], origin[at + word.length]]);
    }
  }
  all.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  let end = 0;
  return all.filter(([from, to]) => {
    const isFree = from >= end && to > from;
    if (isFree) end = to;
    return isFree;
  });
}

// `text` in lower case and without accents, and where each of its characters begins in `text`.
function fold(text) {
  let folded = "";
  const origin = [];
  let index = 0;
  for (const character of text) {
    const plain = character.normalize("NFKD").replace(MARK, "").toLowerCase();
    for (let n = 0; n < plain.length; n++) origin.push(index);
    folded += plain;
    index += character.length;
  }
  return { folded, origin: [...origin, text.length] };
}

// The excerpt begins and ends between words, where there are any.
function bounds(line, first) {
  let start = Math.max(0, first - BEFORE);
  if (start) start = startOf(line, start, first);
  let end = Math.min(line.length, start + LENGTH);
  if (end < line.length) {
    const space = line.lastIndexOf(" ", end);
    end = space > start + LENGTH / 2 ? space : startOf(line, end, end + 2);
  }
  return [start, end];
}

// The beginning of the next word, or of the next character if none begins before `limit`.
function startOf(line, index, limit) {
  const space = line.indexOf(" ", index);
  if (space >= 0 && space < limit) return space + 1;
  return /[\udc00-\udfff]/.test(line[index]) ? index + 1 : index;
}
