// Rows that wait for their window: the key, a countdown, and the reason in one sentence.
import { $, clock, h, icon, reconcile } from "../atrium/dom.js";
import { live } from "../atrium/live.js";
import { Loader, atrium, nextQuery, readJson } from "../atrium/site.js";
import { deleteLater } from "./later.js";
import { count, showEmpty, showProblem } from "./words.js";

const PAGE = 100;
const AFTER = 10_000; // milliseconds within which a due row is stored
const list = $("waiting");
const upload = /^\d+$/.exec(new URLSearchParams(location.search).get("upload") ?? "")?.[0];
const hidden = new Set(); // deleted, and can be taken back
const span = duration(Number($("window").dataset.seconds));
let rows = [];
let next = null; // the query of the next page
let skew = 0; // milliseconds by which the server's clock is ahead

$("window").textContent = span;

function duration(seconds) {
  if (seconds % 60 || seconds < 60) return count(seconds, "second");
  return count(seconds / 60, "minute");
}

const loader = new Loader(
  async () => {
    // The response, for its date.
    const response = await atrium.fetch(`/contacts/unprocessed/?page_size=${PAGE}${upload ? `&upload=${upload}` : ""}`);
    const page = await readJson(response);
    const date = Date.parse(response.headers.get("Date"));
    if (date) skew = date - Date.now();
    return page;
  },
  (page) => {
    rows = page.results;
    next = nextQuery(page);
    showProblem(null);
    draw();
  },
);
const load = () => loader.run().catch((error) => showProblem(error, load));

async function more() {
  try {
    const page = await atrium.get("/contacts/unprocessed/", { query: next });
    const known = new Set(rows.map(({ id }) => id));
    rows.push(...page.results.filter(({ id }) => !known.has(id)));
    next = nextQuery(page);
    draw();
  } catch (error) {
    showProblem(error, more);
  }
}

function draw() {
  list.removeAttribute("aria-busy");
  const shown = rows.filter(({ id }) => !hidden.has(id));
  list.hidden = !shown.length;
  $("empty").hidden = shown.length > 0;
  $("more").hidden = !next;
  const total = $("total");
  const text = shown.length ? `${count(shown.length, "row")}${next ? " shown" : ""}${upload ? ` of upload ${upload}` : ""}, the next to be stored first.` : "";
  if (total.textContent !== text) total.textContent = text;
  if (!shown.length) showEmpty($("empty"), "clock", upload ? "No rows of this upload wait." : "No rows wait.", upload ? h("a.button.secondary", { href: "/contacts/waiting/" }, "Show all waiting rows") : "");
  reconcile(list, shown, (row) => [String(row.id), row.due_at, () => item(row)]);
  tick();
}

function reasonOf({ busy, due_at: due }) {
  const what = busy.length > 1 ? "Its phone number and its e-mail address were" : busy[0] === "email" ? "Its e-mail address was" : "Its phone number was";
  return `${what} stored less than ${span} before, or an earlier row with it waits; this row follows at ${clock.time(due)}.`;
}

function item(row) {
  const { id, name, phone_number: phone, email_address: email, busy } = row;
  const key = (kind, symbol, text) => text && h(`span.key-chip${busy.includes(kind) ? ".busy" : ""}`, {}, icon(symbol), text, busy.includes(kind) && h("span.visually-hidden", {}, " (not free yet)"));
  const label = name || email || phone;
  return h(
    "li.waiting-row",
    {},
    h("div.waiting-what", {}, h("strong", {}, label), h("span.row.keys", {}, key("phone", "phone", phone), key("email", "mail", email)), h("p.muted.small", {}, reasonOf(row), row.upload ? h("span", {}, " Row ", String(row.row), " of ", h("a", { href: `/contacts/uploads/${row.upload}/` }, `upload ${row.upload}`), ".") : "")),
    h("time.countdown.num", { dateTime: row.due_at, title: clock.full(row.due_at) }),
    h("button.button.quiet.icon-only.small", { type: "button", "data-focus": "delete", "aria-label": `Delete ${label}`, title: "Delete", onclick: () => remove(row, label) }, icon("trash")),
  );
}

function remove({ id }, label) {
  hidden.add(id);
  draw();
  const show = () => {
    hidden.delete(id);
    load();
  };
  deleteLater((options) => atrium.delete("/contacts/unprocessed/{id}/", { path: { id }, ...options }), `Deleted the waiting row of ${label}.`, { undone: show, deleted: show });
}

// --- Time -----------------------------------------------------------------------------------------------------------

let reloadAt = 0;
function tick() {
  const now = Date.now() + skew;
  for (const element of list.querySelectorAll("time.countdown")) {
    const seconds = Math.ceil((Date.parse(element.dateTime) - now) / 1000);
    const text = seconds > 0 ? `in ${clockFace(seconds)}` : "now";
    if (element.textContent !== text) element.textContent = text;
  }
  // The first row is due: look whether it has been stored.
  const first = rows.find(({ id }) => !hidden.has(id));
  if (first && Date.parse(first.due_at) <= now && now >= reloadAt && document.visibilityState === "visible") {
    reloadAt = now + (Date.parse(first.due_at) + AFTER > now ? 2000 : 5000);
    load();
  }
}

function clockFace(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

let timer = 0;
function loadSoon() {
  timer ||= setTimeout(() => {
    timer = 0;
    load();
  }, 500);
}
setInterval(tick, 1000);
live.addEventListener("upload", loadSoon);
live.addEventListener("resync", loadSoon);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && loadSoon());
$("more").addEventListener("click", more);
load();
