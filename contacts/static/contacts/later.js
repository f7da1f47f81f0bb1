// Deletions that can be taken back for seven seconds: the request is sent when the time is over, or when the page is left.
import { beforeLeaving } from "../atrium/leaving.js";
import { toast } from "../atrium/toast.js";

const SECONDS = 7;
const waiting = new Set();

// Call `send(options)`, which deletes something, later. `undone()` is called when the user takes it back, `deleted()` after
// the request, `failed()` if it was refused. What is deleted already counts as deleted.
export function deleteLater(send, text, { undone, deleted, failed = undone }) {
  const job = { send };
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
      await send();
    } catch (error) {
      if (error.status !== 404) {
        toast(error.message, "danger");
        return failed();
      }
    }
    deleted();
  }, SECONDS * 1000);
}

beforeLeaving((options) => {
  const jobs = [...waiting];
  waiting.clear();
  for (const { timer } of jobs) clearTimeout(timer);
  return Promise.allSettled(jobs.map(({ send }) => send(options))); // nothing can be shown any more
});
