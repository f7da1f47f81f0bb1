// The import of a file, in steps that the address shows (#columns, #check): choose a file, match its columns, check what an
// import would do with each row, correct rejected cells, import.
import { $, h, icon } from "../atrium/dom.js";
import { randomKey } from "../atrium/site.js";
import { Columns, fullMapping } from "./columns.js";
import { Corrections, corrected } from "./corrections.js";
import { outcome, reasons } from "./outcome.js";
import { correctedName, csvFile, dryRun, upload } from "./sheet.js";
import { bytes, count, number, showProblem } from "./words.js";

const PAUSE = 300; // milliseconds after a change of the columns
const HEAD = 200_000; // bytes of a large CSV file that are read for its columns
const STEPS = ["file", "columns", "check"];
const MAX_BYTES = Number($("drop").dataset.maxBytes);

let file = null;
let report = null;
let mapping = null; // lists of titles
let sheet = "";
let isExact = false; // the file has the three columns, and the user has not chosen others
let isUnchecked = false; // too many rows for a dry run
let corrections = null;
let keys = []; // of the upload, and of the upload of the corrected rows
let timer = 0;
let asked = 0; // counts the dry runs, so that only the last one is shown

const columns = new Columns($("columns"), {
  chosen() {
    isExact = false;
    columns.busy();
    clearTimeout(timer);
    timer = setTimeout(checkAgain, PAUSE);
  },
  choseSheet(name) {
    sheet = name;
    read();
  },
  next: () => go("check"),
  back: () => history.back(),
});

// --- Steps ----------------------------------------------------------------------------------------------------------

function go(step) {
  if (location.hash !== `#${step}`) history.pushState(null, "", `#${step}`);
  showStep();
}

function showStep() {
  const wanted = location.hash.slice(1);
  const step = report && STEPS.includes(wanted) ? wanted : "file";
  for (const name of STEPS) $(name).hidden = name !== step;
  for (const item of $("steps").children) {
    const index = STEPS.indexOf(item.dataset.step);
    item.classList.toggle("done", index < STEPS.indexOf(step));
    if (item.dataset.step === step) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  if (step === "check") drawCheck();
  if (step !== "file") $(step).focus({ preventScroll: true });
  scrollTo(0, 0);
}

addEventListener("popstate", () => {
  showProblem(null);
  showStep();
});

// --- File -----------------------------------------------------------------------------------------------------------

function takeFile() {
  const input = $("file-input");
  const [file] = input.files;
  input.value = "";
  if (file) choose(file);
}

const drop = $("drop");
$("file-input").addEventListener("change", takeFile);
drop.addEventListener("submit", (event) => event.preventDefault());
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("over");
  });
}
addEventListener("dragleave", (event) => event.relatedTarget === null && drop.classList.remove("over"));
addEventListener("drop", (event) => {
  drop.classList.remove("over");
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  choose(event.dataTransfer.files[0]);
});

function choose(chosen) {
  if (chosen.size > MAX_BYTES) return showProblem(`${chosen.name} is too large: ${bytes(chosen.size)}. The limit is ${bytes(MAX_BYTES)}.`);
  file = chosen;
  sheet = "";
  read();
}

async function read() {
  const mine = ++asked;
  showProblem(null);
  $("reading").replaceChildren(h("span.spinner"), `Reading ${file.name}…`);
  try {
    isUnchecked = false;
    let found;
    try {
      found = await dryRun(file, { sheet });
    } catch (error) {
      if (error.code !== "too_many_rows") throw error;
      isUnchecked = true;
      found = await headOf(file);
    }
    if (mine !== asked) return;
    report = found;
    mapping = fullMapping(report);
    isExact = !report.problems.length;
    corrections = null;
    keys = [randomKey(), randomKey()];
    columns.open(file, report, mapping, sheet);
    if (JSON.stringify(mapping.name) !== JSON.stringify([report.mapping.name ?? []].flat())) checkAgain();
    history.replaceState(null, "", location.pathname);
    go(isExact && !sheet ? "check" : "columns");
  } catch (error) {
    if (mine !== asked) return;
    report = null;
    history.replaceState(null, "", location.pathname);
    showStep();
    showProblem(Object.assign(error, { message: `${file.name} cannot be imported. ${error.message}` }));
  } finally {
    $("reading").replaceChildren();
  }
}

// A file with too many rows for a dry run: the columns come from its beginning if it is CSV. A workbook cannot be cut.
async function headOf(large) {
  const isWorkbook = (await large.slice(0, 2).text()) === "PK";
  if (!isWorkbook) return dryRun(new File([large.slice(0, HEAD)], large.name));
  return { columns: [], mapping: {}, problems: [], sheets: [], rows: [], encoding: null };
}

const choice = () => ({
  sheet,
  mapping: isExact ? undefined : Object.fromEntries(Object.entries(mapping).filter(([, titles]) => titles.length)),
});

async function checkAgain() {
  const mine = ++asked;
  if (!columns.isComplete) return columns.show({ rows: [] });
  columns.busy();
  report.isStale = true;
  isExact = false;
  try {
    const found = await dryRun(isUnchecked ? new File([file.slice(0, HEAD)], file.name) : file, choice());
    if (mine !== asked) return;
    report = { ...found, columns: report.columns, sheets: report.sheets };
    corrections = null;
    keys = [randomKey(), randomKey()];
    columns.show(report);
    showProblem(null);
    if (!$("check").hidden) drawCheck();
  } catch (error) {
    if (mine === asked) showProblem(error, checkAgain);
  }
}

// --- Check ----------------------------------------------------------------------------------------------------------

function drawCheck() {
  const box = $("check");
  const title = h("h2", { id: "check-title" }, isUnchecked ? "Ready to import" : "Check and import");
  const back = h("button.button.secondary", { type: "button", onclick: () => (location.hash = "#columns") }, icon("left"), "Columns");
  if (report.isStale) {
    return box.replaceChildren(title, h("p.row", { role: "status" }, h("span.spinner"), "Checking every row…"), h("div.form-actions", {}, back));
  }
  const run = h("button.button", { type: "button", id: "run" });
  const actions = h("div.form-actions", {}, back, run);
  if (isUnchecked) {
    run.append("Import without a check");
    run.addEventListener("click", () => start(run));
    const note = report.columns.length ? "" : " The file must have exactly the columns Name, Phone Number and Email Address.";
    return box.replaceChildren(title, h("div.alert.info", {}, icon("info"), h("p", {}, `${file.name} has too many rows for a check, so it is imported without one. You can undo the upload afterwards.${note}`)), actions);
  }

  const check = h("button.button.secondary", { type: "button" }, "Check corrections");
  const left = h("p.hint", { role: "status" });
  const update = () => {
    const rows = report.accepted + report.deferred;
    const edited = corrections?.ready.length ?? 0;
    run.textContent = [rows || !edited ? `Import ${count(rows, "row")}` : "", edited ? `${rows ? "and" : "Import"} ${corrected(corrections)}` : ""].filter(Boolean).join(" ");
    run.disabled = !rows && !edited;
    check.hidden = !corrections?.hasEdits || corrections.isChecked;
    const invalid = corrections?.invalid ?? 0;
    left.textContent = invalid ? `${count(invalid, "corrected row")} still invalid: correct again, or import without.` : "";
  };
  const parts = [title, h("p.muted", {}, `${file.name}, ${bytes(file.size)}. Nothing is stored yet.`), h("div.card", {}, outcome(report, { isPreview: true }), report.deferred > 0 && h("p.muted.small", {}, "Rows that wait have a phone number or e-mail address that was stored a short time ago, or that occurs several times in the file. They are stored by themselves later."))];
  if (report.rejected) {
    if (!corrections) {
      corrections = new Corrections();
      corrections.add(report.rejected_rows);
    }
    corrections.changed = update;
    parts.push(
      h("h3", {}, count(report.rejected, "rejected row")),
      reasons(report.reasons),
      h("p.muted", {}, "Correct cells here, or import the other rows now and correct these later."),
      corrections.element,
      report.rejected > report.rejected_rows.length && h("p.muted.small", {}, `The first ${number(report.rejected_rows.length)} are shown. The upload will list all of them.`),
    );
    check.addEventListener("click", () => attempt(check, () => corrections.check()));
  }
  run.addEventListener("click", () => start(run));
  actions.append(check, left);
  box.replaceChildren(...parts.filter(Boolean), actions);
  update();
}

async function attempt(button, action) {
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  showProblem(null);
  try {
    await action();
  } catch (error) {
    showProblem(error);
    $("problem").scrollIntoView({ block: "center" });
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// Upload the file, then the corrected rows as a file of their own. The keys make a second click harmless.
function start(button) {
  return attempt(button, async () => {
    if (corrections?.hasEdits && !corrections.isChecked) {
      await corrections.check();
      if (corrections.invalid) return corrections.focusInvalid();
    }
    const hasValid = isUnchecked || report.accepted + report.deferred > 0;
    const main = hasValid ? await upload(file, choice(), keys[0]) : null;
    const edited = corrections?.ready ?? [];
    const fixed = edited.length ? await upload(csvFile(edited, correctedName(file.name)), {}, keys[1]) : null;
    location.assign(main ? `/contacts/uploads/${main.id}/${fixed ? `?corrected=${fixed.id}` : ""}` : `/contacts/uploads/${fixed.id}/`);
  });
}

history.replaceState(null, "", location.pathname);
showStep();
takeFile(); // chosen before this script was loaded
