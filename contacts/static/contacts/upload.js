// One upload: its progress while it runs, its result, what can be done with it, and its rejected rows.
import { $, clock, h, icon } from "../atrium/dom.js";
import { live } from "../atrium/live.js";
import { Loader, atrium, nextQuery, randomKey } from "../atrium/site.js";
import { toast } from "../atrium/toast.js";
import { Corrections, corrected } from "./corrections.js";
import { outcome, reasons } from "./outcome.js";
import { Progress, pace } from "./progress.js";
import { correctedName, csvFile, upload as send } from "./sheet.js";
import { bytes, count, number, RUNNING, showProblem, statusBadge } from "./words.js";

const POLL = 2000; // milliseconds, while it runs and no events arrive
const box = $("upload");
const id = Number(box.dataset.id);
const path = { id };
const url = `/api/v1/contacts/uploads/${id}/`; // of downloads
const progress = new Progress();
const fixedId = /^\d+$/.exec(new URLSearchParams(location.search).get("corrected") ?? "")?.[0];

let shown = ""; // the state that is shown, as JSON
let hasRejected = false;

const loader = new Loader(
  () => atrium.get("/contacts/uploads/{id}/", { path }),
  (upload) => {
    showProblem(null);
    show(upload);
  },
);

async function load() {
  try {
    await loader.run();
  } catch (error) {
    if (error.status === 404) return location.replace("/contacts/uploads/");
    showProblem(error, load);
  }
}

function show(upload) {
  box.removeAttribute("aria-busy");
  const isRunning = RUNNING.includes(upload.status);
  const text = JSON.stringify(upload);
  if (text === shown) return;
  shown = text;
  $("status").replaceChildren(statusBadge(upload.status));
  const fixed = fixedId && h("p.alert.info", {}, icon("info"), h("span", {}, "The rows that you corrected are an upload of their own: ", h("a", { href: `/contacts/uploads/${fixedId}/` }, "corrected rows"), "."));
  const parts = [facts(upload), fixed || null];
  if (isRunning) {
    progress.show(upload);
    parts.push(h("div.card", {}, progress.element, upload.status === "undoing" ? null : h("p.muted.small", {}, "You can leave this page. The import continues.")));
  }
  if (upload.status === "failed") {
    parts.push(h("div.alert.danger", {}, icon("danger"), h("div", {}, h("strong", {}, "The import failed. "), upload.error?.detail ?? "", upload.processed_rows > 0 ? ` ${number(upload.processed_rows)} of ${count(upload.total_rows, "row")} were processed.` : "")));
  }
  if (upload.status !== "queued") parts.push(h("div.card", {}, outcome(upload), ...notes(upload)));
  parts.push(actions(upload));
  box.replaceChildren(...parts.filter(Boolean));
  if (upload.rejected && !isRunning && !hasRejected) {
    hasRejected = true;
    showRejected(upload);
  }
}

function facts({ size, encoding, created_at: created, duplicate_of: first }) {
  const words = [bytes(size), encoding && `encoding ${encoding}`].filter(Boolean).join(" · ");
  return h("p.muted", {}, `${words} · `, h("time", { dateTime: created, title: clock.full(created) }, `${clock.day(created)}, ${clock.time(created)}`), first ? h("span", {}, " · same content as ", h("a", { href: `/contacts/uploads/${first}/` }, `upload ${first}`)) : "");
}

function notes(upload) {
  const list = [];
  if (upload.waiting) list.push(h("p", {}, h("a", { href: `/contacts/waiting/?upload=${id}` }, `${count(upload.waiting, "row")} still ${upload.waiting === 1 ? "waits" : "wait"}`), h("span.muted", {}, ": the same phone number or e-mail address was stored a short time ago.")));
  if (upload.removed_contacts || upload.removed_waiting) list.push(h("p", {}, `The undo has removed ${count(upload.removed_contacts, "contact")} and ${count(upload.removed_waiting, "waiting row")}.`));
  const words = pace(upload);
  if (words) list.push(h("p.muted.small", {}, `${words}.`));
  return list;
}

// --- What can be done -----------------------------------------------------------------------------------------------

const link = (href, symbol, text) => h("a.button.secondary.small", { href }, icon(symbol), text);
const action = (symbol, text, run, kind = "secondary") => {
  const button = h(`button.button.${kind}.small`, { type: "button", onclick: () => busy(button, run) }, icon(symbol), text);
  return button;
};

async function busy(button, run) {
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  showProblem(null);
  try {
    await run();
  } catch (error) {
    showProblem(error);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function actions(upload) {
  const { status, accepted, deferred } = upload;
  const isRunning = RUNNING.includes(status);
  const hasRows = accepted + deferred > 0 && status !== "undone";
  return h(
    "div.row.upload-actions",
    {},
    hasRows && h("a.button.small", { href: `/contacts/?upload=${id}` }, icon("contacts"), "Show contacts"),
    status === "failed" && action("refresh", "Retry", retry),
    link(`${url}original/`, "download", "Original file"),
    hasRows && !isRunning && action("undo", "Undo upload", () => askUndo(upload)),
    !isRunning && action("trash", "Delete", () => askDelete(upload)),
  );
}

async function retry() {
  const upload = await atrium.post("/contacts/uploads/{id}/retry/", { path });
  loader.changed();
  hasRejected = false;
  show(upload);
}

function askUndo({ accepted, deferred }) {
  const stored = accepted + deferred;
  ask("Undo this upload?", `All contacts and waiting rows that this upload has stored are removed (up to ${number(stored)}), also those that you have corrected since. This cannot be reversed, but you can upload the file again.`, "Undo upload", async () => {
    const undone = await atrium.post("/contacts/uploads/{id}/undo/", { path });
    await load();
    if (undone.status === "undone") toast(`Removed ${count(undone.removed_contacts, "contact")} and ${count(undone.removed_waiting, "waiting row")}.`, "ok");
  });
}

function askDelete({ name }) {
  ask("Delete this upload?", `The file ${name}, its counts and its rejected rows are deleted. Its contacts stay. To remove them too, undo the upload first.`, "Delete upload", () => {
    // The list shows the notice with Undo for seven seconds, and then deletes.
    sessionStorage.setItem("atrium.contacts.delete", JSON.stringify({ id, name }));
    location.assign("/contacts/uploads/");
  });
}

function ask(title, text, verb, run) {
  const close = () => dialog.close();
  const confirm = h("button.button.danger", { type: "button", onclick: () => busy(confirm, async () => (close(), await run())) }, verb);
  const dialog = h("dialog", { "aria-labelledby": "ask-title" }, h("h2", { id: "ask-title" }, title), h("p", {}, text), h("div.dialog-actions", {}, h("button.button.secondary", { type: "button", onclick: close }, "Cancel"), confirm));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// --- Rejected rows --------------------------------------------------------------------------------------------------

async function showRejected(upload) {
  const section = $("rejected");
  const corrections = new Corrections();
  const more = h("button.button.secondary.small", { type: "button", hidden: true }, "Show more rows");
  const check = h("button.button.secondary", { type: "button" }, "Check corrections");
  const run = h("button.button", { type: "button" });
  const left = h("p.hint", { role: "status" });
  const key = randomKey();
  let next = { page_size: 50 }; // the query of the next page

  const update = () => {
    const ready = corrections.ready.length;
    run.textContent = ready ? `Upload ${corrected(corrections)}` : "Upload corrected rows";
    run.disabled = !ready;
    check.hidden = !corrections.hasEdits || corrections.isChecked;
    left.textContent = corrections.invalid ? `${count(corrections.invalid, "corrected row")} still invalid: correct again, or upload without.` : "";
  };
  corrections.changed = update;
  const add = async () => {
    const page = await atrium.get("/contacts/uploads/{id}/errors/", { path, query: next });
    corrections.add(page.results);
    next = nextQuery(page);
    more.hidden = !next;
  };
  more.addEventListener("click", () => busy(more, add));
  check.addEventListener("click", () => busy(check, () => corrections.check()));
  run.addEventListener("click", () =>
    busy(run, async () => {
      if (!corrections.isChecked) {
        await corrections.check();
        if (corrections.invalid) return corrections.focusInvalid();
      }
      const sent = await send(csvFile(corrections.ready, correctedName(upload.name)), {}, `${key}.${corrections.ready.length}`);
      location.assign(`/contacts/uploads/${sent.id}/`);
    }),
  );
  section.replaceChildren(
    h("div.card-head", {}, h("h2", { id: "rejected-title" }, count(upload.rejected, "rejected row")), h("div.row", {}, link(`${url}errors.xlsx`, "download", "Excel"), link(`${url}errors.csv`, "download", "CSV"))),
    upload.reasons ? reasons(upload.reasons) : "",
    h("p.muted", {}, "Correct cells here and upload the rows again. For many rows, download them, correct the file and ", h("a", { href: "/contacts/import/" }, "import it"), "."),
    corrections.element,
    more,
    h("div.form-actions.sticky-actions", {}, run, check, left),
  );
  section.hidden = false;
  update();
  await busy(more, add);
}

// --- Changes --------------------------------------------------------------------------------------------------------

let timer = 0;
function loadSoon() {
  timer ||= setTimeout(() => {
    timer = 0;
    load();
  }, 300);
}

live.addEventListener("upload", ({ detail }) => {
  if (detail.id !== id) return;
  if (!RUNNING.includes(detail.status)) return loadSoon(); // the reasons and the waiting rows are not in the event
  loader.changed();
  show({ ...detail });
});
live.addEventListener("resync", loadSoon);
setInterval(() => {
  const isRunning = shown && RUNNING.includes(JSON.parse(shown).status);
  if (isRunning && !live.open && document.visibilityState === "visible") load();
}, POLL);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && loadSoon());
load();
