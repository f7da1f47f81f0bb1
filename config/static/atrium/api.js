// Calls to this site's own API from its own pages, signed in by the session cookie.
//
//   const { data, status, headers } = await api("/api/v1/notes/", { method: "POST", body: { title: "Milk" } });
//
// Anything but a 2xx or 304 throws an ApiError: `message` is a sentence to show, `fields` maps a field's name to its
// messages, `code` is the first error's code, `retryAfter` is in seconds (0 when the server did not say) and `offline` is
// true when no answer came at all. A body that is FormData travels as it is, everything else as JSON.

export class ApiError extends Error {
  constructor(message, { status = 0, errors = [], retryAfter = 0 } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
    this.offline = status === 0;
    this.code = errors[0]?.code ?? "";
    this.fields = {};
    for (const { attr, detail } of errors) (this.fields[attr ?? ""] ??= []).push(detail);
  }
}

export function cookie(name) {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

export async function api(path, { method = "GET", body, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", ...headers };
  let payload = body;
  if (body !== undefined && !(body instanceof FormData)) {
    sent["Content-Type"] = "application/json";
    payload = JSON.stringify(body);
  }
  if (method !== "GET" && method !== "HEAD") sent["X-CSRFToken"] = cookie("csrftoken");

  let answer;
  try {
    answer = await fetch(path, { method, headers: sent, body: payload, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached. Check your connection.");
  }

  const text = await answer.text();
  let data = null;
  if (text && answer.headers.get("Content-Type")?.includes("json")) data = JSON.parse(text);
  if (answer.ok || answer.status === 304) return { data, status: answer.status, headers: answer.headers };

  const errors = data?.errors ?? [];
  throw new ApiError(errors.map((each) => each.detail).join(" ") || `The server answered ${answer.status}.`, {
    status: answer.status,
    errors,
    retryAfter: Number(answer.headers.get("Retry-After")) || 0,
  });
}
