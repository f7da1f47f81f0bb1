// People whom the user may want to write to, to be found by name.
import { atrium } from "./site.js";

const MOST = 2000; // people; the conversations after them are found by scrolling, and everybody by code

let people = null;

// Those of all conversations and those who are online: [{ usercode, username, image }], fetched once for a page.
export function knownPeople() {
  people ??= fetchPeople();
  people.catch(() => (people = null));
  return people;
}

async function fetchPeople() {
  const found = new Map();
  const { online } = await atrium.get("/presence/").catch(() => ({ online: [] })); // not available without Redis
  for (const { usercode, username, image } of online) found.set(usercode, { usercode, username, image });
  for await (const page of atrium.list("/conversations/", { query: { page_size: 200 } }).pages()) {
    for (const { person } of page.results) found.set(person.usercode, person);
    if (found.size >= MOST) break;
  }
  return [...found.values()];
}

// In lower case and without accents.
export const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

// Whether `text` contains every word of `query`.
export function matches(text, query) {
  const folded = fold(text);
  return fold(query).split(/\s+/).every((word) => folded.includes(word));
}
