// Call this site's API from the pages of notes, messages, contacts and trends. Other pages use the typed client (site.js).
//
//   const { data, status, headers } = await api("/api/v1/notes/", { method: "POST", body: { title: "Milk" } });
//
// Any status except 2xx and 304 throws an ApiError: `message` can be shown, `fields` maps a field's name to its messages,
// `code` is the first error's code, `retryAfter` is in seconds (0 if unknown), and `offline` is true if there was no
// response. A FormData body is sent unchanged, any other body as JSON. With `keepalive` the request outlives the page.
// A 401 also sends the event "atrium:signed-out" to the document.

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

// A key for the header Idempotency-Key. crypto.randomUUID is not available on pages loaded over plain http from another
// machine; getRandomValues is.
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function api(path, { method = "GET", body, headers = {}, signal, keepalive = false } = {}) {
  const requestHeaders = { Accept: "application/json", ...headers };
  let payload = body;
  if (body !== undefined && !(body instanceof FormData)) {
    requestHeaders["Content-Type"] = "application/json";
    payload = JSON.stringify(body);
  }
  if (method !== "GET" && method !== "HEAD") requestHeaders["X-CSRFToken"] = cookie("csrftoken");

  let response;
  try {
    response = await fetch(path, { method, headers: requestHeaders, body: payload, signal, keepalive, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Cannot reach the server. Check your connection.");
  }

  const text = await response.text();
  let data = null;
  if (text && response.headers.get("Content-Type")?.includes("json")) data = JSON.parse(text);
  if (response.ok || response.status === 304) return { data, status: response.status, headers: response.headers };

  if (response.status === 401) document.dispatchEvent(new Event("atrium:signed-out"));
  const errors = data?.errors ?? [];
  throw new ApiError(errors.map((each) => each.detail).join(" ") || `The server returned status ${response.status}.`, {
    status: response.status,
    errors,
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
  });
}
