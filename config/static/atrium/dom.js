// Helpers that build and update elements. Text is always inserted as text, never as HTML.
import { icon } from "./toast.js";

export { icon };

export const $ = (id) => document.getElementById(id);

// h("li.message", { title: "…", onclick }, "text", node) builds an element with classes, properties and children.
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.includes("-")) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Update the children of `parent` to show `items` in order. Unchanged elements are reused: screen readers announce only
// what is new, and focus stays where it is. `describe(item)` returns [key, version, build].
export function reconcile(parent, items, describe) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const active = parent.contains(document.activeElement) ? document.activeElement : null;
  let next = parent.firstElementChild;
  for (const item of items) {
    const [key, version, build] = describe(item);
    let element = present.get(key);
    if (element && element.dataset.version !== version) {
      const fresh = build();
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.focus ?? "" : null;
      if (next === element) next = fresh;
      element.replaceWith(fresh);
      element = fresh;
      if (focused !== null) (fresh.querySelector(`[data-focus="${focused}"]`) ?? fresh).focus({ preventScroll: true });
    }
    element ??= build();
    element.dataset.key = key;
    element.dataset.version = version;
    present.delete(key);
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const stale of present.values()) stale.remove();
  // An element that was moved has lost its focus.
  if (active?.isConnected && document.activeElement !== active && parent.contains(active)) active.focus({ preventScroll: true });
}

// For a focus that has to wait for an answer or a frame: returns a function that focuses an element, unless the person has
// gone elsewhere since. What they type must not end up in another field, or be taken for a key of the page.
export function focusLater(before = document.activeElement) {
  return (element) => {
    const now = document.activeElement;
    if (now === before || now === document.body) element?.focus({ preventScroll: true });
  };
}

// A user's picture, or the first letter of their name if there is no picture or it fails to load.
export function avatar(person, size = "", online) {
  const letter = (person.username || "?").slice(0, 1);
  const circle = h(`span.avatar${size ? "." + size : ""}`, { "aria-hidden": "true" });
  if (person.image) {
    const image = h("img", { alt: "", src: person.image });
    image.addEventListener("error", () => circle.replaceChildren(letter));
    circle.append(image);
  } else {
    circle.append(letter);
  }
  return online === undefined ? circle : h("span.with-presence", {}, circle, h(`span.presence${online ? ".on" : ""}`));
}

// A function that formats a Date. The formatter is made when it is first needed: this takes milliseconds.
export function format(options) {
  let formatter;
  return (date) => (formatter ??= new Intl.DateTimeFormat(undefined, options)).format(date);
}

const time = format({ hour: "2-digit", minute: "2-digit" });
const day = format({ weekday: "long", day: "numeric", month: "long" });
const weekday = format({ weekday: "short", day: "numeric", month: "short" });
const date = format({ day: "numeric", month: "short" });
const full = format({ dateStyle: "full", timeStyle: "medium" });

export const clock = {
  time: (iso) => time(new Date(iso)),
  full: (iso) => full(new Date(iso)),
  dayKey: (iso) => new Date(iso).toDateString(),
  day(iso) {
    const then = new Date(iso).toDateString();
    if (then === new Date().toDateString()) return "Today";
    if (then === new Date(Date.now() - 864e5).toDateString()) return "Yesterday";
    return day(new Date(iso));
  },
  // When something will happen: "Today, 09:00", "Tomorrow, 09:00", "Mon 4 May, 09:00".
  soon(iso) {
    const then = new Date(iso);
    const days = Math.round((new Date(then).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 864e5);
    const name = { "-1": "Yesterday", 0: "Today", 1: "Tomorrow" }[days] ?? weekday(then);
    return `${name}, ${time(then)}`;
  },
  short: (iso) => (new Date(iso).toDateString() === new Date().toDateString() ? time : date)(new Date(iso)),
};
