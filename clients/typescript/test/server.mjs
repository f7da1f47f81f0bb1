// A server with scripted answers, for faults that the real product cannot be made to have at a chosen moment.
import { createServer } from "node:http";
import { after } from "node:test";

/** Start a server that answers requests with `handle(request, response, body)`; returns its address and the requests. */
export async function serve(handle) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body });
    await handle(request, response, body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests };
}

/** Answer with JSON. */
export function json(response, status, data, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(status === 304 ? undefined : JSON.stringify(data));
}

/** Answer with one error. */
export function fail(response, status, code, headers = {}, attr = null) {
  const type = status >= 500 ? "server_error" : status === 400 ? "validation_error" : "client_error";
  json(response, status, { type, errors: [{ code, detail: `It is ${code}.`, attr }] }, headers);
}

/** An access token that is valid for some seconds. */
export function accessToken(name, seconds = 600) {
  const encode = (data) => Buffer.from(JSON.stringify(data)).toString("base64url");
  return `${encode({ alg: "none" })}.${encode({ iat: 1000, exp: 1000 + seconds, name })}.x`;
}

/** Storage with the methods of localStorage. */
export function storage() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}
