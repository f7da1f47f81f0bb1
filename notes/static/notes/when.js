// Read a time as people write it: "tomorrow 9", "in 2 hours", "friday 14:30", "4 may at 8pm", "2027-01-02 10:00".
//
// Times are those of a time zone, given by its IANA name. `parseWhen` returns a Date, or null if the text is not a time
// in the future.

const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const UNITS = { minute: 60e3, min: 60e3, hour: 3600e3, hr: 3600e3, h: 3600e3, m: 60e3 };
const PARTS = { morning: 9, noon: 12, afternoon: 14, evening: 18, tonight: 20, night: 20, midnight: 0 };
const MORNING = 9;

// The wall clock of `date` in `zone`: { year, month, day, hour, minute, weekday }.
export function wallClock(date, zone) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", hourCycle: "h23" });
  const { year, month, day, hour, minute } = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, Number(value)]));
  return { year, month, day, hour, minute, weekday: new Date(Date.UTC(year, month - 1, day)).getUTCDay() };
}

// The instant at which the clocks of `zone` show this time. Days may overflow. A time that clocks skip is an hour later.
export function instant({ year, month, day, hour = 0, minute = 0 }, zone) {
  const wanted = Date.UTC(year, month - 1, day, hour, minute);
  let guess = wanted;
  for (let step = 0; step < 2; step++) {
    const shown = wallClock(new Date(guess), zone);
    guess += wanted - Date.UTC(shown.year, shown.month - 1, shown.day, shown.hour, shown.minute);
  }
  return new Date(guess);
}

export function parseWhen(text, { now = new Date(), zone }) {
  const words = text.toLowerCase().trim().replace(/\s+/g, " ");
  const date = relative(words, now, zone) ?? absolute(words, now, zone);
  return date && date > now ? date : null;
}

function relative(words, now, zone) {
  const found = /^in (?:(an?|\d+(?:\.\d+)?) ?)(minute|min|hour|hr|day|week|month|h|m)s?$/.exec(words);
  if (!found) return null;
  const count = found[1].startsWith("a") ? 1 : Number(found[1]);
  if (found[2] in UNITS) return new Date(now.getTime() + count * UNITS[found[2]]);
  const today = wallClock(now, zone);
  if (found[2] === "month") return instant({ ...today, month: today.month + count }, zone);
  return instant({ ...today, day: today.day + Math.round(count * (found[2] === "week" ? 7 : 1)) }, zone);
}

function absolute(words, now, zone) {
  const today = wallClock(now, zone);
  let rest = ` ${words.replace(/[,]/g, " ").replace(/\b(at|on|the|o'clock)\b/g, " ")} `;
  const take = (pattern) => {
    const found = pattern.exec(rest);
    if (found) rest = rest.replace(found[0], " ");
    return found;
  };

  const day = takeDay(take, today);
  let time = null;
  let found;
  if ((found = take(/ (\d{1,2})[:.h](\d{2}) ?(am|pm)? /))) time = { hour: hourOf(found[1], found[3]), minute: Number(found[2]) };
  else if ((found = take(/ (\d{1,2}) ?(am|pm) /))) time = { hour: hourOf(found[1], found[2]), minute: 0 };
  else if ((found = take(/ (morning|noon|afternoon|evening|tonight|night|midnight) /))) time = { hour: PARTS[found[1]], minute: 0 };
  else if ((found = take(/ (\d{1,2}) /))) time = { hour: Number(found[1]), minute: 0 };
  if (rest.trim() || (!day && !time)) return null;
  if (time && (time.hour > 23 || Number.isNaN(time.hour) || time.minute > 59)) return null;

  const date = instant({ ...today, ...day, hour: MORNING, minute: 0, ...time }, zone);
  if (date > now || (day && !day.isToday)) return date;
  // A time without a day is the next such time; "today" without a time is in an hour.
  if (day) return time ? null : new Date(now.getTime() + 3600e3);
  return instant({ ...today, day: today.day + 1, ...time }, zone);
}

function hourOf(text, half) {
  const hour = Number(text);
  if (!half) return hour;
  return hour < 1 || hour > 12 ? Number.NaN : (hour % 12) + (half === "pm" ? 12 : 0);
}

function takeDay(take, today) {
  let found;
  const after = (days) => ({ year: today.year, month: today.month, day: today.day + days });
  if ((found = take(/ (\d{4})-(\d{1,2})-(\d{1,2})(?:t| )/))) return real({ year: Number(found[1]), month: Number(found[2]), day: Number(found[3]) });
  if ((found = take(/ (\d{1,2})\.(\d{1,2})\.(\d{4})? /))) return coming(Number(found[1]), Number(found[2]), found[3], today);
  const month = `(${MONTHS.map((name) => `${name.slice(0, 3)}(?:${name.slice(3)})?`).join("|")})`;
  if ((found = take(new RegExp(` (\\d{1,2})(?:st|nd|rd|th)? ${month}(?: (\\d{4}))? `)))) return coming(Number(found[1]), monthOf(found[2]), found[3], today);
  if ((found = take(new RegExp(` ${month} (\\d{1,2})(?:st|nd|rd|th)?(?: (\\d{4}))? `)))) return coming(Number(found[2]), monthOf(found[1]), found[3], today);
  if (take(/ day after tomorrow /)) return after(2);
  if (take(/ (tomorrow|tmrw|tmr) /)) return after(1);
  if (take(/ today /)) return { ...after(0), isToday: true };
  if (take(/ (?:this )?weekend /)) return after((6 - today.weekday + 7) % 7 || 7);
  if (take(/ next week /)) return after((8 - today.weekday) % 7 || 7);
  if ((found = take(/ (next )?(sun|mon|tue|wed|thu|fri|sat)[a-z]* /))) {
    const days = (DAYS.findIndex((name) => name.startsWith(found[2])) - today.weekday + 7) % 7;
    return after(days || 7);
  }
  return null;
}

const monthOf = (name) => MONTHS.findIndex((month) => month.startsWith(name.slice(0, 3))) + 1;

// A day without a year is the next one.
function coming(day, month, year, today) {
  const past = month < today.month || (month === today.month && day < today.day);
  return real({ year: year ? Number(year) : today.year + (past ? 1 : 0), month, day });
}

// The day, or one that is in the past if the calendar does not have it.
function real({ year, month, day }) {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? { year, month, day } : { year: 1970, month: 1, day: 1 };
}
