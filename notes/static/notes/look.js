// How parts of a note look: what the first cards need before the rest of the page is loaded.
import { format } from "../atrium/dom.js";

export const INDENT = "  ";
export const isIndented = (text) => text.startsWith(INDENT);

// The class of a colour. Notes from the API may have any colour as #rrggbb, which `paint` mixes with the background.
export const colorClass = (color) => (color.startsWith("#") ? "c-custom" : `c-${color}`);

export function paint(element, color) {
  for (const name of [...element.classList]) if (name.startsWith("c-")) element.classList.remove(name);
  element.classList.add(colorClass(color));
  if (color.startsWith("#")) element.style.setProperty("--note-color", color);
  else element.style.removeProperty("--note-color");
}

const { zone: chosen } = document.getElementById("main").dataset;
let ofBrowser;
// The browser takes up to 70 ms to tell its time zone, so nothing asks for it before a reminder is shown.
export const browserZone = () => (ofBrowser ??= Intl.DateTimeFormat().resolvedOptions().timeZone);
// UTC is what an account has until its owner chooses a zone.
export const zone = () => (chosen === "UTC" ? browserZone() : chosen);

const day = format({ get timeZone() { return zone(); }, weekday: "short", day: "numeric", month: "short" });
const time = format({ get timeZone() { return zone(); }, hour: "2-digit", minute: "2-digit" });

// "Today, 09:00", "Tomorrow, 09:00", "Mon 4 May, 09:00"
export function reminderText(iso) {
  const date = new Date(iso);
  const name = day(date) === day(new Date()) ? "Today" : day(date) === day(new Date(Date.now() + 864e5)) ? "Tomorrow" : day(date);
  return `${name}, ${time(date)}`;
}
