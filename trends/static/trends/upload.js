// The upload form of staff: upload progress, then the report of the import.
import { createClient } from "../atrium/client.js";

const POLL_EVERY = 700; // milliseconds
const LISTED = 20;

const atrium = createClient({ credentials: "cookie" });

async function waitForEnd(run) {
  while (!run.dry_run && !run.finished_at) {
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY));
    run = await atrium.get("/trends/imports/{id}/", { path: { id: run.id } });
  }
  return run;
}

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function notice(kind, text) {
  const box = element("div", "", `alert ${kind}`);
  box.append(element("div", text));
  return box;
}

function summary(run) {
  const duplicates = `${run.duplicates} ${run.duplicates === 1 ? "duplicate" : "duplicates"}`;
  const counts = `${run.created} new, ${run.updated ? `${run.updated} updated, ` : ""}${duplicates}, ${run.rejected} invalid of ${run.total_rows} rows.`;
  if (run.status === "failed") return notice("danger", `${run.name} was not imported. ${run.error}`);
  const kind = run.rejected ? "warn" : "ok";
  return notice(kind, `${run.name} ${run.dry_run ? "can be imported" : "was imported"}: ${counts}`);
}

function problems(run) {
  const wrap = element("div", "", "table-wrap");
  wrap.tabIndex = 0;
  wrap.setAttribute("role", "region");
  wrap.setAttribute("aria-label", "Invalid rows");
  const table = element("table");
  const head = element("tr");
  for (const title of ["Line", "Column", "Value", "Reason"]) {
    const cell = element("th", title);
    cell.scope = "col";
    head.append(cell);
  }
  table.append(element("thead"), element("tbody"));
  table.tHead.append(head);
  for (const error of run.errors.slice(0, LISTED)) {
    const line = element("tr");
    line.append(element("td", error.line, "num"), element("td", error.column || "–"));
    line.append(element("td", error.value.length > 60 ? `${error.value.slice(0, 60)}…` : error.value), element("td", error.message));
    table.tBodies[0].append(line);
  }
  wrap.append(table);
  return wrap;
}

function report(box, run) {
  box.replaceChildren(summary(run));
  if (run.duplicate_of) box.append(element("p", `This file was already imported (run ${run.duplicate_of}).`));
  if (run.errors.length) box.append(problems(run));
  if (run.errors.length && run.links) {
    const link = element("a", "Download all invalid rows (CSV)");
    link.href = run.links.errors;
    box.append(link);
  }
}

export function prepareUpload(reload) {
  const form = document.getElementById("upload");
  if (!form) return;
  const [drop, file, bar, box] = ["drop", "file", "progress", "report"].map((id) => document.getElementById(id));
  const button = form.querySelector("button[type=submit]");

  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) file.files = event.dataTransfer.files;
    });
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.setAttribute("aria-busy", "true");
    bar.hidden = false;
    bar.value = 0;
    box.replaceChildren(element("p", "Uploading…", "muted"));
    try {
      const started = await atrium.upload("/trends/imports/", {
        body: Object.fromEntries(new FormData(form)),
        onProgress: ({ loaded, total }) => (bar.value = (loaded / total) * 100),
      });
      bar.value = 100;
      if (!started.dry_run) box.replaceChildren(element("p", `${started.name} is being imported…`, "muted"));
      const run = await waitForEnd(started);
      report(box, run);
      if (run.created && !run.dry_run) reload();
      if (run.status !== "failed" && !run.dry_run) form.reset();
    } catch (error) {
      box.replaceChildren(notice("danger", error.message));
    } finally {
      button.removeAttribute("aria-busy");
      bar.hidden = true;
    }
  });
}
