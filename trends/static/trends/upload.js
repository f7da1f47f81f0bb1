// The upload box of staff: progress while the file travels, then the report of its run.
import { api, cookie } from "../atrium/api.js";

const ASK_EVERY = 700; // milliseconds
const SHOWN = 20;

// Fetch cannot tell how far an upload is.
function send(form, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/trends/imports/");
    request.setRequestHeader("X-CSRFToken", cookie("csrftoken"));
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => progress(event.lengthComputable ? event.loaded / event.total : 0));
    request.addEventListener("error", () => reject(new Error("The server cannot be reached. Check your connection.")));
    request.addEventListener("load", () => {
      let data = null;
      try {
        data = JSON.parse(request.responseText);
      } catch {
        // An answer that is no JSON comes from something between here and the server.
      }
      if (request.status === 202 && data) resolve(data);
      else reject(new Error(data?.errors?.map((each) => each.detail).join(" ") || `The server answered ${request.status}.`));
    });
    request.send(form);
  });
}

async function ended(run) {
  while (!run.dry_run && !run.finished_at) {
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY));
    run = (await api(`/api/v1/trends/imports/${run.id}/`)).data;
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

function told(run) {
  const duplicates = `${run.duplicates} ${run.duplicates === 1 ? "duplicate" : "duplicates"}`;
  const counts = `${run.created} new, ${duplicates}, ${run.rejected} bad of ${run.total_rows} rows.`;
  if (run.status === "failed") return notice("danger", `${run.name} was not imported. ${run.error}`);
  const kind = run.rejected ? "warn" : "ok";
  return notice(kind, `${run.name} ${run.dry_run ? "would bring" : "is imported"}: ${counts}`);
}

function problems(run) {
  const wrap = element("div", "", "table-wrap");
  wrap.tabIndex = 0;
  wrap.setAttribute("role", "region");
  wrap.setAttribute("aria-label", "Bad rows");
  const table = element("table");
  const head = element("tr");
  for (const title of ["Line", "Column", "Value", "Reason"]) {
    const cell = element("th", title);
    cell.scope = "col";
    head.append(cell);
  }
  table.append(element("thead"), element("tbody"));
  table.tHead.append(head);
  for (const error of run.errors.slice(0, SHOWN)) {
    const line = element("tr");
    line.append(element("td", error.line, "num"), element("td", error.column || "–"));
    line.append(element("td", error.value.length > 60 ? `${error.value.slice(0, 60)}…` : error.value), element("td", error.message));
    table.tBodies[0].append(line);
  }
  wrap.append(table);
  return wrap;
}

function report(box, run) {
  box.replaceChildren(told(run));
  if (run.duplicate_of) box.append(element("p", `The same bytes were imported before, by run ${run.duplicate_of}.`));
  if (run.errors.length) box.append(problems(run));
  if (run.errors.length && run.links) {
    const link = element("a", "All of them as CSV");
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
    box.replaceChildren(element("p", "The file is on its way…", "muted"));
    try {
      const begun = await send(new FormData(form), (part) => (bar.value = part * 100));
      bar.value = 100;
      if (!begun.dry_run) box.replaceChildren(element("p", `${begun.name} is being imported…`, "muted"));
      const run = await ended(begun);
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
