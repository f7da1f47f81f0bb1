// The list of uploads, with what runs now.
import { $, clock, h, reconcile } from "../atrium/dom.js";
import { live } from "../atrium/live.js";
import { Loader, atrium, nextQuery } from "../atrium/site.js";
import { deleteLater } from "./later.js";
import { outcome } from "./outcome.js";
import { bytes, count, RUNNING, showEmpty, showProblem, statusBadge } from "./words.js";

const POLL = 3000; // milliseconds, while one runs and no events arrive
const list = $("uploads");
const hidden = new Set(); // deleted, and can be taken back
let uploads = [];
let next = null; // the query of the next page

const loader = new Loader(
  () => atrium.get("/contacts/uploads/", { query: { page_size: 50 } }),
  (page) => {
    const older = uploads.filter((each) => page.results.length && each.id < page.results.at(-1).id);
    if (!older.length) next = nextQuery(page);
    uploads = [...page.results, ...older];
    showProblem(null);
    draw();
  },
);
const load = () => loader.run().catch((error) => showProblem(error, load));

async function more() {
  try {
    const page = await atrium.get("/contacts/uploads/", { query: next });
    const known = new Set(uploads.map(({ id }) => id));
    uploads.push(...page.results.filter(({ id }) => !known.has(id)));
    next = nextQuery(page);
    draw();
  } catch (error) {
    showProblem(error, more);
  }
}

function draw() {
  list.removeAttribute("aria-busy");
  const shown = uploads.filter(({ id }) => !hidden.has(id));
  list.hidden = !shown.length;
  $("empty").hidden = shown.length > 0;
  $("more").hidden = !next;
  if (!shown.length) showEmpty($("empty"), "upload", "No uploads yet.", h("a.button", { href: "/contacts/import/" }, "Import a file"));
  reconcile(list, shown, (upload) => [String(upload.id), JSON.stringify(upload), () => row(upload)]);
}

function row(upload) {
  const { id, name, status, size, created_at: created, processed_rows: rows, total_rows: total } = upload;
  const isRunning = RUNNING.includes(status);
  return h(
    "li.upload-row",
    {},
    h("div.upload-what", {}, h("a", { href: `/contacts/uploads/${id}/`, "data-focus": "name" }, name), h("span.muted.small", {}, `${bytes(size)} · `, h("time", { dateTime: created, title: clock.full(created) }, `${clock.day(created)}, ${clock.time(created)}`))),
    statusBadge(status),
    isRunning ? h("div.stack.tight", {}, h("progress", { max: Math.max(total, 1), value: rows, "aria-label": `Progress of ${name}` }), h("span.muted.small.num", {}, count(total, "row"))) : outcome(upload),
  );
}

// The page of an upload leaves its deletion to this page.
function deleteChosen() {
  const chosen = JSON.parse(sessionStorage.getItem("atrium.contacts.delete") ?? "null");
  sessionStorage.removeItem("atrium.contacts.delete");
  if (!chosen) return;
  hidden.add(chosen.id);
  const show = () => {
    hidden.delete(chosen.id);
    load();
  };
  deleteLater((options) => atrium.delete("/contacts/uploads/{id}/", { path: { id: chosen.id }, ...options }), `Deleted ${chosen.name}.`, { undone: show, deleted: show });
}

let timer = 0;
function loadSoon() {
  timer ||= setTimeout(() => {
    timer = 0;
    load();
  }, 300);
}
live.addEventListener("upload", loadSoon);
live.addEventListener("resync", loadSoon);
setInterval(() => !live.open && document.visibilityState === "visible" && uploads.some(({ status }) => RUNNING.includes(status)) && load(), POLL);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && loadSoon());
$("more").addEventListener("click", more);
deleteChosen();
load();
