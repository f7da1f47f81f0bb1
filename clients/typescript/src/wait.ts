/** Wait for some milliseconds; rejects with the signal's reason if it is aborted first. */
export function sleep(milliseconds: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Return the milliseconds before attempt number `attempt` (from 0): doubled each time, at most `longest`, varied by a half. */
export function backOff(attempt: number, first: number, longest: number): number {
  return Math.min(longest, first * 2 ** attempt) * (0.5 + Math.random() / 2);
}

/** Return a random text of 32 hexadecimal digits. `crypto.randomUUID` is missing on pages without HTTPS. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
