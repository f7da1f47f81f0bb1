// Requests that send a file: the dry run, the upload, and corrected rows as a small CSV file.
import { atrium } from "../atrium/site.js";

const UPLOADS = "/contacts/uploads/";
const FIELDS = ["name", "phone_number", "email_address"];
const TITLES = ["Name", "Phone Number", "Email Address"];

const content = (file, { mapping, sheet } = {}) => ({ file, mapping, sheet: sheet || undefined });

let last = Promise.resolve();

// Return what an import would decide. The server runs one dry run at a time for each user, and so does this page.
export function dryRun(file, choice) {
  const run = async () => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await atrium.upload(UPLOADS, { query: { dry_run: true }, body: content(file, choice), maxRetries: 0 });
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

export function upload(file, choice, key) {
  return atrium.upload(UPLOADS, { body: content(file, choice), idempotencyKey: key });
}

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

// A CSV file of rows with the three fields. Row 1 is the header, so `rows[0]` is row 2.
export function csvFile(rows, name) {
  const lines = [TITLES, ...rows.map((row) => FIELDS.map((field) => row[field]))];
  const text = lines.map((cells) => cells.map(quoted).join(",")).join("\r\n");
  return new File(["\ufeff", text, "\r\n"], name, { type: "text/csv" });
}

export const correctedName = (name) => `corrected rows of ${name.replace(/\.[^.]*$/, "")}.csv`;
