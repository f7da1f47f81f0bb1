// Deletions that can be taken back for seven seconds: the request is sent when the time is over, or when the page is left.
import { api, cookie } from "../atrium/api.js";
import { toast } from "../atrium/toast.js";

const SECONDS = 7;
const waiting = new Set();

// Delete `path` later. `undone()` is called when the user takes it back, `deleted()` after the request, `failed()` if it
// was refused. What is deleted already counts as deleted.
export function deleteLater(path, text, { undone, deleted, failed = undone }) {
  const job = { path };
  const notice = toast(text, "info", SECONDS, {
    label: "Undo",
    run() {
      clearTimeout(job.timer);
      waiting.delete(job);
      undone();
    },
  });
  waiting.add(job);
  job.timer = setTimeout(async () => {
    waiting.delete(job);
    notice.remove();
    try {
      await api(path, { method: "DELETE" });
    } catch (error) {
      if (error.status !== 404) {
        toast(error.message, "danger");
        return failed();
      }
    }
    deleted();
  }, SECONDS * 1000);
}

addEventListener("pagehide", () => {
  for (const { path, timer } of waiting) {
    clearTimeout(timer);
    fetch(path, { method: "DELETE", keepalive: true, credentials: "same-origin", headers: { "X-CSRFToken": cookie("csrftoken") } });
  }
  waiting.clear();
});
