// Import a Google Keep archive, dropped anywhere on the page or chosen in the dialog, with progress and report; export.
import { $, h, icon } from "../atrium/dom.js";
import { atrium } from "../atrium/site.js";

const POLL = 1000;
const RUNNING = ["queued", "processing"];
const COUNTS = { created: "created", updated: "updated", duplicates: "already there", rejected: "rejected", ignored: "other files" };

export class Takeout {
  #dialog = null;
  #depth = 0;

  // `imported()` is called while notes arrive.
  constructor({ imported }) {
    this.imported = imported;
    $("takeout").addEventListener("click", () => this.open());
    const overlay = h("div.drop-overlay", { hidden: true }, icon("upload"), h("p", {}, "Drop a Google Keep archive (Takeout) to import it"));
    document.body.append(overlay);
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => hasFiles(event) && (overlay.hidden = !++this.#depth));
    addEventListener("dragleave", (event) => hasFiles(event) && (overlay.hidden = !--this.#depth));
    addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.#depth = 0;
      overlay.hidden = true;
      this.open();
      this.#upload(event.dataTransfer.files[0]);
    });
  }

  open() {
    if (this.#dialog) return;
    this.file = h("input", { type: "file", accept: ".zip,application/zip", "aria-label": "Google Keep archive" });
    this.file.addEventListener("change", () => this.file.files[0] && this.#upload(this.file.files[0]));
    this.report = h("div.stack.tight", { role: "status" });
    const close = h("button.button.quiet.icon-only", { type: "button", "aria-label": "Close", onclick: () => this.#dialog.close() }, icon("close"));
    const link = (format, text) => h("a.button.secondary.small", { href: `/api/v1/notes/export/?format=${format}`, download: "" }, icon("download"), text);
    this.#dialog = h(
      "dialog.plain",
      { "aria-labelledby": "takeout-head" },
      h("div.dialog-head", {}, h("h2", { id: "takeout-head" }, "Import and export"), close),
      h("div.stack", {}, h("div.drop", {}, h("p", {}, "Drop the archive of Google Keep here: the zip file from takeout.google.com."), this.file), this.report, h("div.row", {}, link("json", "Export for Google Keep"), link("markdown", "Export as Markdown"))),
    );
    this.#dialog.addEventListener("close", () => {
      this.#dialog.remove();
      this.#dialog = null;
    });
    document.body.append(this.#dialog);
    this.#dialog.showModal();
  }

  // Show the report of an import, such as from a link of the home page.
  show(id) {
    this.open();
    this.#follow(id);
  }

  async #upload(file) {
    this.#progress(`Uploading ${file.name}…`, 0, file.size);
    try {
      const row = await atrium.upload("/notes/import/", {
        body: { file },
        onProgress: ({ loaded, total }) => this.#progress(`Uploading ${file.name}…`, loaded, total),
      });
      await this.#follow(row.id);
    } catch (error) {
      this.report.replaceChildren(h("p.errors", {}, error.message));
    }
  }

  async #follow(id) {
    for (let errors = 0; this.#dialog; ) {
      try {
        const row = await atrium.get("/notes/imports/{id}/", { path: { id } });
        errors = 0;
        if (!RUNNING.includes(row.status)) {
          this.#result(row);
          return this.imported();
        }
        this.#progress(`Importing ${row.name}: ${row.processed} of ${row.total || "?"} notes`, row.processed, row.total);
      } catch (error) {
        if (++errors > 5 || error.status === 404) return this.report.replaceChildren(h("p.errors", {}, error.message));
      }
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }

  #progress(text, value, max) {
    this.report.replaceChildren(h("p", {}, text), h("progress", { max: max || 1, value, "aria-label": text }));
  }

  #result(data) {
    const counts = Object.entries(COUNTS).filter(([name]) => data[name]).map(([name, text]) => `${data[name]} ${text}`);
    const failed = data.status === "failed";
    this.report.replaceChildren(
      h(`div.alert.${failed ? "danger" : data.problems.length ? "warn" : "ok"}`, {}, icon(failed ? "danger" : "ok"), h("div", {}, h("strong", {}, data.name), h("br"), failed ? data.error : counts.join(", ") || "No notes in the archive")),
    );
    if (!data.problems.length) return;
    const problems = data.problems.map((each) => h("li", {}, h("strong", {}, each.file), ` ${each.detail}`));
    this.report.append(h("details", {}, h("summary", {}, `${problems.length} problem${problems.length === 1 ? "" : "s"}`), h("ul.lines.small", {}, ...problems)));
  }
}
