// Requests that send a file: the dry run, the upload, and corrected rows as a small CSV file.
import { api } from "../atrium/api.js";

const UPLOADS = "/api/v1/contacts/uploads/";
const FIELDS = ["name", "phone_number", "email_address"];
const TITLES = ["Name", "Phone Number", "Email Address"];

function form(file, { mapping, sheet } = {}) {
  const body = new FormData();
  body.append("file", file, file.name);
  if (mapping) body.append("mapping", JSON.stringify(mapping));
  if (sheet) body.append("sheet", sheet);
  return body;
}

let last = Promise.resolve();

// Return what an import would decide. The server runs one dry run at a time for each user, and so does this page.
export function dryRun(file, choice) {
  const run = async () => {
    for (let attempt = 0; ; attempt++) {
      try {
        return (await api(`${UPLOADS}?dry_run=true`, { method: "POST", body: form(file, choice) })).data;
      } catch (error) {
        // Another tab or another user is checking a file. A full hour's quota has a longer Retry-After.
        const isBusy = (error.status === 429 || error.status === 503) && error.retryAfter > 0 && error.retryAfter <= 10;
        if (!isBusy || attempt === 3) throw error;
        await new Promise((resolve) => setTimeout(resolve, error.retryAfter * 1000));
      }
    }
  };
  last = last.then(run, run);
  return last;
}

export async function upload(file, choice, key) {
  return (await api(UPLOADS, { method: "POST", body: form(file, choice), headers: { "Idempotency-Key": key } })).data;
}

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

// A CSV file of rows with the three fields. Row 1 is the header, so `rows[0]` is row 2.
export function csvFile(rows, name) {
  const lines = [TITLES, ...rows.map((row) => FIELDS.map((field) => row[field]))];
  const text = lines.map((cells) => cells.map(quoted).join(",")).join("\r\n");
  return new File(["\ufeff", text, "\r\n"], name, { type: "text/csv" });
}

export const correctedName = (name) => `corrected rows of ${name.replace(/\.[^.]*$/, "")}.csv`;
