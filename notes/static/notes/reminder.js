// The reminder picker: type a time, choose a suggestion, or use the calendar. Times are in the user's time zone.
import { format, h, icon } from "../atrium/dom.js";
import { browserZone, reminderText, zone } from "./look.js";
import { popup } from "./menus.js";
import { instant, parseWhen, wallClock } from "./when.js";

const long = format({ get timeZone() { return zone(); }, weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" });

// `save(iso)` is called with the chosen instant, or null to remove the reminder.
export function reminderMenu(anchor, current, save) {
  const text = h("input", { type: "text", placeholder: "tomorrow 9", "aria-label": "When", "aria-describedby": "when-shown", autocomplete: "off", autofocus: true });
  const shown = h("p.small.muted", { id: "when-shown", role: "status" });
  const calendar = h("input", { type: "datetime-local", "aria-label": "Date and time" });
  const submit = h("button.button", { type: "submit" }, current ? "Change" : "Remind me");
  let date = null;

  const show = (found, hint = "") => {
    date = found;
    submit.disabled = !found;
    shown.textContent = found ? long(found) + (zone() === browserZone() ? "" : ` (${zone()})`) : hint;
  };
  text.addEventListener("input", () => {
    const typed = text.value.trim();
    show(typed ? parseWhen(typed, { zone: zone() }) : null, typed ? "Not a time in the future. Try “friday 14:30” or “in 2 hours”." : "");
  });
  calendar.addEventListener("input", () => {
    const [, year, month, dayOfMonth, hour, minute] = /^(\d+)-(\d+)-(\d+)T(\d+):(\d+)/.exec(calendar.value)?.map(Number) ?? [];
    const found = year ? instant({ year, month, day: dayOfMonth, hour, minute }, zone()) : null;
    show(found > new Date() ? found : null, "Choose a time in the future.");
  });
  const presets = ["today 18:00", "tomorrow 9:00", "monday 9:00"].map((each) => [each, parseWhen(each, { zone: zone() })]);
  const suggestions = presets.filter(([, found]) => found).map(([, found]) =>
    h("button", { type: "button", onclick: () => done(found) }, icon("clock"), reminderText(found.toISOString())),
  );
  const done = (found) => {
    close();
    save(found && found.toISOString());
  };
  const form = h(
    "form.reminder",
    {},
    text,
    shown,
    h("div", {}, ...suggestions),
    calendar,
    h("div.row.between", {}, submit, current && h("button.button.quiet.small", { type: "button", onclick: () => done(null) }, "Remove")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (date) done(date);
  });
  const pad = (number) => String(number).padStart(2, "0");
  if (current) {
    const at = wallClock(new Date(current), zone());
    calendar.value = `${at.year}-${pad(at.month)}-${pad(at.day)}T${pad(at.hour)}:${pad(at.minute)}`;
    shown.textContent = `Now: ${long(new Date(current))}`;
  }
  submit.disabled = true;
  const close = popup(anchor, "Reminder", form);
}
