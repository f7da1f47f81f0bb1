// Finds links in the text of a message.

const ADDRESS = /https?:\/\/[^\s<>"'`]+/giu;
const TRAILING = /[.,;:!?*_~]+$/u;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u; // bidi marks among them could disguise the address

// Split `text` into strings and { text, href } for links. Joining their texts returns `text`.
export function splitLinks(text) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trim(found);
    const href = safeHref(address);
    if (!href) continue;
    if (index > end) parts.push(text.slice(end, index));
    parts.push({ text: address, href });
    end = index + address.length;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

// Remove punctuation after an address, and closing brackets that were not opened in it.
function trim(address) {
  for (;;) {
    const shorter = address.replace(TRAILING, "");
    const last = shorter.at(-1);
    const open = { ")": "(", "]": "[", "}": "{" }[last];
    if (open && shorter.split(open).length < shorter.split(last).length) address = shorter.slice(0, -1);
    else if (shorter === address) return address;
    else address = shorter;
  }
}

// The normalized address, or null if it is invalid, contains credentials or contains invisible characters.
function safeHref(address) {
  if (INVISIBLE.test(address)) return null;
  try {
    const url = new URL(address);
    return ["http:", "https:"].includes(url.protocol) && url.hostname && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}
