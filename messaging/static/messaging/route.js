// The page's address: `?search=lunch` is the search, `#7QX2MA` the open conversation, `#7QX2MA/1042` a message in it. Back
// and Forward lead through conversations and searches, and a reload shows the same again.
import { DELETED, EVERYONE } from "./store.js";

const USERCODE = /^[A-Z0-9]{6}$/i;

// The code is empty if no conversation is open, such as after the link that skips the navigation (#main).
export function currentRoute() {
  const [place, id] = location.hash.slice(1).split("/");
  const code = [EVERYONE, DELETED].includes(place) ? place : USERCODE.test(place) ? place.toUpperCase() : "";
  return { search: new URLSearchParams(location.search).get("search")?.trim() ?? "", code, message: Number(id) || null };
}

// Change parts of the address: a new entry of the history, unless `replace`.
export function setRoute(changes, { replace = false } = {}) {
  const { search, code, message } = { ...currentRoute(), ...changes };
  const query = search ? `?${new URLSearchParams({ search })}` : "";
  const address = location.pathname + query + (code ? `#${code}` : "") + (code && message ? `/${message}` : "");
  if (replace) history.replaceState(null, "", address);
  else if (address !== location.pathname + location.search + location.hash) history.pushState(null, "", address);
}
