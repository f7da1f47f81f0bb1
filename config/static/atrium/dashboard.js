// The dashboard: "select all", and the drop zone for files. htmx, which django-unfold loads, updates health and queues.
import { atrium } from "./site.js";

const TARGETS = {
  trends: { path: "/trends/imports/", report: "/admin/trends/importrun/" },
  contacts: { path: "/contacts/uploads/", report: "/admin/contacts/filemetadata/" },
};

const all = document.getElementById("select-all");
all?.addEventListener("change", () => {
  for (const box of document.querySelectorAll("#problems input[name=row]")) box.checked = all.checked;
});

const form = document.getElementById("drop");
const [input, kind, result] = ["drop-file", "drop-kind", "drop-result"].map((id) => document.getElementById(id));

function suggestKind() {
  if (input.files[0]?.name.toLowerCase().endsWith(".xlsx")) kind.value = "contacts";
}

for (const name of ["dragover", "dragleave", "drop"]) {
  form.addEventListener(name, (event) => {
    event.preventDefault();
    form.classList.toggle("over", name === "dragover");
    if (name !== "drop" || !event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    suggestKind();
  });
}
// On its way down: django-unfold's own listener expects its form field around every file input.
form.addEventListener(
  "change",
  (event) => {
    if (event.target !== input) return;
    event.stopPropagation();
    suggestKind();
  },
  true,
);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const target = TARGETS[kind.value];
  result.textContent = "Uploading…";
  try {
    const run = await atrium.upload(target.path, { body: { file: input.files[0] } });
    const link = document.createElement("a");
    link.className = "dash-link";
    link.href = `${target.report}${run.id}/change/`;
    link.textContent = "Open its report";
    result.replaceChildren(`${run.name} is being imported. `, link);
    form.reset();
  } catch (error) {
    result.textContent = error.message;
  }
});
