import type { Send } from "./transport.js";

/** How much of an upload has been sent, in bytes. It starts again from 0 if the upload is repeated. */
export interface UploadProgress {
  loaded: number;
  total: number;
}

type Listener = (progress: UploadProgress) => void;

/** Return a form for the members of `body`: files as they are, lists and objects as JSON, nothing for undefined. */
export function toForm(body: object): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(body)) {
    if (value === undefined) continue;
    if (value instanceof Blob) form.append(name, value);
    else form.append(name, value !== null && typeof value === "object" ? JSON.stringify(value) : String(value ?? ""));
  }
  return form;
}

/** Whether a body has to be sent as a form. */
export function hasFile(body: unknown): boolean {
  return Boolean(body && typeof body === "object" && Object.values(body).some((value) => value instanceof Blob));
}

/** Return a form as one Blob with the multipart content type: the length is known, and files on disk stay there. */
export function toMultipart(form: FormData): Blob {
  const boundary = `----atrium${Math.random().toString(36).slice(2)}${Date.now().toString(36)}`;
  const quote = (text: string) => text.replace(/\r\n|\r|\n/g, "%0D%0A").replace(/"/g, "%22");
  const parts: BlobPart[] = [];
  // Not form.entries(), which types for Node do not declare on this interface.
  form.forEach((value, name) => {
    const disposition = `--${boundary}\r\nContent-Disposition: form-data; name="${quote(name)}"`;
    if (typeof value === "string") {
      parts.push(`${disposition}\r\n\r\n${value}\r\n`);
    } else {
      const type = value.type || "application/octet-stream";
      parts.push(`${disposition}; filename="${quote(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`, value, "\r\n");
    }
  });
  return new Blob([...parts, `--${boundary}--\r\n`], { type: `multipart/form-data; boundary=${boundary}` });
}

/** Return how to send `content` so that its progress is reported: XMLHttpRequest in browsers, a stream in Node. */
export function uploader(content: Blob, onProgress: Listener | undefined, fetch: typeof globalThis.fetch): Send {
  return (url, init) =>
    typeof XMLHttpRequest === "function"
      ? withXhr(url, init, content, onProgress)
      : withStream(url, init, content, onProgress, fetch);
}

const withXhr = (
  url: string, init: RequestInit & { headers: Headers }, content: Blob, onProgress: Listener | undefined,
) =>
  new Promise<Response>((resolve, reject) => {
    const { method = "POST", headers, signal, credentials } = init;
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    xhr.withCredentials = credentials === "include";
    xhr.responseType = "text";
    headers.forEach((value, name) => xhr.setRequestHeader(name, value));
    const abort = () => xhr.abort();
    signal?.addEventListener("abort", abort, { once: true });
    xhr.upload.onprogress = ({ loaded }) => onProgress?.({ loaded: Math.min(loaded, content.size), total: content.size });
    xhr.onload = () => {
      const answer = new Headers();
      for (const line of xhr.getAllResponseHeaders().trim().split("\r\n")) {
        const colon = line.indexOf(":");
        if (colon > 0) answer.append(line.slice(0, colon), line.slice(colon + 1).trim());
      }
      const body = xhr.status === 204 || xhr.status === 304 ? null : xhr.responseText;
      resolve(new Response(body, { status: xhr.status, headers: answer }));
    };
    xhr.onerror = () => reject(new TypeError("The upload failed."));
    xhr.onabort = () => reject(signal?.reason ?? new DOMException("The upload was aborted.", "AbortError"));
    xhr.onloadend = () => signal?.removeEventListener("abort", abort);
    if (signal?.aborted) return reject(signal.reason);
    xhr.send(content);
  });

function withStream(
  url: string, init: RequestInit & { headers: Headers }, content: Blob, onProgress: Listener | undefined,
  fetch: typeof globalThis.fetch,
): Promise<Response> {
  let loaded = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      loaded += chunk.byteLength;
      onProgress?.({ loaded, total: content.size });
    },
  });
  // The server requires a length, which fetch does not know of a stream.
  const headers = new Headers(init.headers);
  headers.set("Content-Length", String(content.size));
  const body = content.stream().pipeThrough(counter as ReadableWritablePair<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>);
  return fetch(url, { ...init, headers, body, duplex: "half" } as RequestInit);
}
