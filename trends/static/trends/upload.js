// The import box of staff: upload with progress, check, then the report of the import.
import { $, h, icon } from "../atrium/dom.js";
import { atrium } from "../atrium/site.js";

const POLL_EVERY = 700; // milliseconds
const LISTED = 20;
const maxRetries = 6; // an import takes time: a short outage does not end the wait for it

const form = $("upload");
const box = $("report");
const bar = $("progress");
const file = $("file");
const say = (text) => box.replaceChildren(h("p.muted", {}, text));
const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

async function waitForEnd(run) {
  while (!run.dry_run && !run.finished_at) {
    bar.removeAttribute("value"); // the number of rows is known once they are read
    say(run.total_rows ? `Importing ${run.name}: ${count(run.total_rows, "row")} read…` : `Importing ${run.name}…`);
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY));
    run = await atrium.get("/trends/imports/{id}/", { path: { id: run.id }, maxRetries });
  }
  return run;
}

const notice = (kind, ...content) => h(`div.alert.${kind}`, {}, icon(kind), h("div", {}, ...content));

function summary(run) {
  if (run.status === "failed") return notice("danger", `${run.name} was not imported. ${run.error}`);
  const counts = [
    `${run.created.toLocaleString("en")} new`,
    (run.updated || run.mode === "update") && `${run.updated.toLocaleString("en")} updated`,
    count(run.duplicates, "duplicate"),
    `${run.rejected.toLocaleString("en")} invalid of ${count(run.total_rows, "row")}`,
  ];
  return notice(run.rejected ? "warn" : "ok", `${run.name} ${run.dry_run ? "can be imported" : "was imported"}: ${counts.filter(Boolean).join(", ")}.`);
}

function problems(run) {
  const cell = (text) => h("td", {}, text);
  const rows = run.errors.slice(0, LISTED).map(({ line, column, value, message }) =>
    h("tr", {}, h("td.num", {}, line), cell(column || "–"), cell(value.length > 60 ? `${value.slice(0, 60)}…` : value), cell(message)),
  );
  const heads = ["Line", "Column", "Value", "Reason"].map((title) => h("th", { scope: "col" }, title));
  return h(
    "div.table-wrap",
    { tabIndex: 0, role: "region", "aria-label": "Invalid rows" },
    h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)),
  );
}

function report(run) {
  const links = [
    run.links && form.dataset.runs && h("a", { href: `${form.dataset.runs}${run.id}/change/` }, "Open this import"),
    run.links && run.errors.length > 0 && h("a", { href: run.links.errors }, "Download all invalid rows (CSV)"),
    run.dry_run && run.status !== "failed" && run.created + run.updated > 0 && h("button.button.small", { type: "button", onclick: importNow }, "Import it now"),
  ].filter(Boolean);
  box.replaceChildren(
    summary(run),
    ...(run.duplicate_of ? [h("p", {}, `This file was already imported (run ${run.duplicate_of}).`)] : []),
    ...(run.errors.length ? [problems(run)] : []),
    ...(links.length ? [h("p.row", {}, ...links)] : []),
  );
}

function importNow() {
  $("dry_run").checked = false;
  form.requestSubmit();
}

async function send() {
  const button = form.querySelector("button[type=submit]");
  button.setAttribute("aria-busy", "true");
  bar.hidden = false;
  bar.value = 0;
  say("Uploading…");
  try {
    const started = await atrium.upload("/trends/imports/", {
      body: Object.fromEntries(new FormData(form)),
      maxRetries,
      onProgress: ({ loaded, total }) => (bar.value = (loaded / total) * 100),
    });
    const run = await waitForEnd(started);
    report(run);
    if (run.dry_run || run.status === "failed") return;
    form.reset();
    if (run.created || run.updated) document.dispatchEvent(new Event("trends:imported"));
  } catch (error) {
    box.replaceChildren(notice("danger", error.message));
  } finally {
    button.removeAttribute("aria-busy");
    bar.hidden = true;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  form.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) file.files = event.dataTransfer.files;
  });
}
