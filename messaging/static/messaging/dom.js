// Building the page's parts. Text only ever goes in as text: there is no innerHTML anywhere on this page.
import { icon } from "../atrium/toast.js";

export { icon };

export const $ = (id) => document.getElementById(id);

// h("li.message", { title: "…", onclick }, "text", node): an element with its classes, properties and children.
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

// Make the children of `parent` show `items` in order, keeping those that are the same: a reader of the screen hears of
// what is new alone, and focus stays where it was. `of` gives [key, version, build].
export function reconcile(parent, items, of) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const [key, version, build] = of(item);
    let element = present.get(key);
    if (element && element.dataset.version !== version) {
      const fresh = build();
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.focus ?? "" : null;
      if (next === element) next = fresh;
      element.replaceWith(fresh);
      element = fresh;
      if (focused !== null) (fresh.querySelector(`[data-focus="${focused}"]`) ?? fresh).focus();
    }
    element ??= build();
    element.dataset.key = key;
    element.dataset.version = version;
    present.delete(key);
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const stale of present.values()) stale.remove();
}

// A person's picture, or the first letter of the name where there is none or it does not load.
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

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export const clock = {
  time: (iso) => time.format(new Date(iso)),
  full: (iso) => full.format(new Date(iso)),
  dayKey: (iso) => new Date(iso).toDateString(),
  day(iso) {
    const then = new Date(iso).toDateString();
    if (then === new Date().toDateString()) return "Today";
    if (then === new Date(Date.now() - 864e5).toDateString()) return "Yesterday";
    return day.format(new Date(iso));
  },
  short: (iso) => (new Date(iso).toDateString() === new Date().toDateString() ? time : date).format(new Date(iso)),
};
