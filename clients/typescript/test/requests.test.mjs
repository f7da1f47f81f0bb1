import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ApiError, createClient, NetworkError, PreconditionFailedError, RateLimitError, ValidationError,
} from "../../../config/static/atrium/client.js";
import { fail, json, serve } from "./server.mjs";

const token = { token: "atr_example" };

test("a POST whose answer was lost is repeated with the same Idempotency-Key and the same body", async () => {
  let count = 0;
  const { url, requests } = await serve((request, response) => {
    count += 1;
    if (count === 1) return request.socket.destroy();
    if (count === 2) {
      // The answer breaks off in the middle.
      response.writeHead(201, { "Content-Type": "application/json", "Content-Length": "100" });
      response.write('{"id": 7, "ti');
      return setTimeout(() => request.socket.destroy(), 20);
    }
    json(response, 201, { id: 7, title: "Milk" });
  });
  const client = createClient({ url, credentials: token });
  const note = await client.post("/notes/", { body: { title: "Milk" } });
  assert.equal(note.id, 7);
  assert.equal(requests.length, 3);
  assert.equal(new Set(requests.map((each) => each.headers["idempotency-key"])).size, 1);
  assert.match(requests[0].headers["idempotency-key"], /^[0-9a-f]{32}$/);
  assert.deepEqual(requests.map((each) => each.body.toString()), Array(3).fill('{"title":"Milk"}'));
  assert.equal(requests[2].headers["content-length"], "16");
  assert.equal(requests[2].headers.authorization, "Bearer atr_example");
});

test("each call has a key of its own, and a key of the caller is sent", async () => {
  const { url, requests } = await serve((request, response) => json(response, 201, { id: 1 }));
  const client = createClient({ url, credentials: token });
  await client.post("/labels/", { body: { name: "a" } });
  await client.post("/labels/", { body: { name: "b" } });
  await client.post("/labels/", { body: { name: "c" }, idempotencyKey: "mine" });
  const keys = requests.map((each) => each.headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[2], "mine");
});

test("with the cookie, fetch is called before the call returns: a page that is closed does not continue", () => {
  const sent = [];
  const fetch = (url, { method, body, keepalive }) => {
    sent.push([method, new URL(url).pathname, body, keepalive]);
    return new Promise(() => {});
  };
  const client = createClient({ url: "https://atrium.test", credentials: "cookie", timeout: 0, fetch });
  client.post("/notes/", { body: { title: "Milk" }, keepalive: true });
  client.delete("/notes/{id}/", { path: { id: 1 }, keepalive: true });
  client.get("/notes/");
  assert.deepEqual(sent, [
    ["POST", "/api/v1/notes/", '{"title":"Milk"}', true],
    ["DELETE", "/api/v1/notes/1/", null, true],
    ["GET", "/api/v1/notes/", null, false],
  ]);
});

test("Retry-After is waited for, as seconds or as a date", async () => {
  const times = [];
  const { url } = await serve((request, response) => {
    times.push(Date.now());
    if (times.length === 1) return fail(response, 503, "service_unavailable", { "Retry-After": "1" });
    if (times.length === 2) return fail(response, 429, "throttled", { "Retry-After": new Date(Date.now() + 2000).toUTCString() });
    json(response, 200, { username: "ada" });
  });
  assert.equal((await createClient({ url, credentials: token }).get("/auth/profile/")).username, "ada");
  assert.ok(times[1] - times[0] >= 1000, `${times[1] - times[0]}`);
  assert.ok(times[2] - times[1] >= 900, `${times[2] - times[1]}`); // a date has whole seconds
});

test("an error page that breaks off is repeated like a whole one", async () => {
  let count = 0;
  const { url } = await serve((request, response) => {
    if (++count > 1) return json(response, 200, { username: "ada" });
    response.writeHead(502, { "Content-Type": "text/html" });
    response.write("<!doctype html>", () => response.destroy());
  });
  const late = async (...args) => {
    const response = await fetch(...args);
    await new Promise((resolve) => setTimeout(resolve, 100)); // the connection is broken when the client looks at it
    return response;
  };
  assert.equal((await createClient({ url, credentials: token, fetch: late }).get("/auth/profile/")).username, "ada");
});

test("a Retry-After above the limit is not waited for", async () => {
  const { url, requests } = await serve((request, response) => fail(response, 429, "throttled", { "Retry-After": "3600" }));
  const failed = createClient({ url, credentials: token }).get("/notes/");
  await assert.rejects(failed, (error) => error instanceof RateLimitError && error.retryAfter === 3600);
  assert.equal(requests.length, 1);
});

test("without an answer the call ends with NetworkError after the retries", async () => {
  const { url, requests } = await serve((request) => request.socket.destroy());
  await assert.rejects(createClient({ url, maxRetries: 2 }).get("/trends/"), NetworkError);
  assert.equal(requests.length, 3);
});

test("a server that does not answer is given up after the timeout", async () => {
  let count = 0;
  const { url } = await serve((request, response) => ++count > 1 && json(response, 200, { results: [] }));
  await createClient({ url, timeout: 100 }).get("/trends/");
  assert.equal(count, 2);
});

test("an aborted call rejects with the reason, also between two attempts", async () => {
  const { url } = await serve((request, response) => fail(response, 503, "service_unavailable", { "Retry-After": "20" }));
  const controller = new AbortController();
  const call = createClient({ url, credentials: token }).get("/notes/", { signal: controller.signal });
  setTimeout(() => controller.abort(), 100);
  await assert.rejects(call, { name: "AbortError" });
});

test("registering is not repeated when its answer was lost, but is after 429", async () => {
  let count = 0;
  const { url, requests } = await serve((request, response) => {
    if (++count === 1) return fail(response, 429, "throttled", { "Retry-After": "0" });
    request.socket.destroy();
  });
  const body = { email: "a@example.org", username: "ada", password: "a fine long secret" };
  await assert.rejects(createClient({ url }).post("/auth/register/", { body }), NetworkError);
  assert.equal(requests.length, 2);
  assert.equal(requests[0].headers["idempotency-key"], undefined);
});

test("errors name the field and the request", async () => {
  const { url } = await serve((request, response) => {
    const errors = [
      { code: "blank", detail: "This field may not be blank.", attr: "name" },
      { code: "max_length", detail: "Too long.", attr: "name" },
      { code: "invalid", detail: "Not both.", attr: null },
    ];
    json(response, 400, { type: "validation_error", errors }, { "X-Request-ID": "r-1" });
  });
  const error = await createClient({ url, credentials: token }).post("/labels/", { body: { name: "" } }).catch((each) => each);
  assert.ok(error instanceof ValidationError && error instanceof ApiError && error instanceof Error);
  assert.deepEqual(error.fields, { name: ["This field may not be blank.", "Too long."], "": ["Not both."] });
  assert.deepEqual([error.name, error.status, error.code, error.requestId], ["ValidationError", 400, "blank", "r-1"]);
  assert.ok(error.has("invalid") && !error.has("required"));
});

test("an error page of a proxy is an ApiError too", async () => {
  const { url } = await serve((request, response) => response.writeHead(502, { "Content-Type": "text/html" }).end("<h1>Bad</h1>"));
  const error = await createClient({ url, maxRetries: 0 }).get("/trends/").catch((each) => each);
  assert.deepEqual([error.name, error.status, error.errors], ["ServerError", 502, []]);
});

test("a read that is unchanged is answered from the cache, as a new object", async () => {
  const { url, requests } = await serve((request, response) =>
    request.headers["if-none-match"] === '"1"'
      ? json(response, 304, null, { ETag: '"1"' })
      : json(response, 200, { id: 1, title: "Milk" }, { ETag: '"1"' }),
  );
  const client = createClient({ url, credentials: token });
  const first = await client.get("/notes/{id}/", { path: { id: 1 } });
  first.title = "changed by the page";
  const second = await client.get("/notes/{id}/", { path: { id: 1 } });
  assert.equal(second.title, "Milk");
  assert.deepEqual(requests.map((each) => each.headers["if-none-match"]), [undefined, '"1"']);
});

test("fetch says that a page has not changed if it is given the page's ETag", async () => {
  const { url } = await serve((request, response) =>
    request.headers["if-none-match"] ? json(response, 304, null) : json(response, 200, { results: [] }, { ETag: '"7"' }),
  );
  const client = createClient({ url, credentials: token });
  const tag = client.etag(await client.get("/notes/"));
  assert.equal((await client.fetch("/notes/", { headers: { "If-None-Match": tag } })).status, 304);
});

test("ifMatch sends the tag of the object that was read, not of a later read", async () => {
  let version = 1;
  const { url, requests } = await serve((request, response) => {
    const tag = { ETag: `"${version}"` };
    if (request.method === "GET") return json(response, 200, { id: 1, version }, tag);
    if (request.headers["if-match"] !== tag.ETag) return fail(response, 412, "precondition_failed");
    version += 1;
    json(response, 200, { id: 1, version }, { ETag: `"${version}"` });
  });
  const client = createClient({ url, credentials: token });
  const path = { id: 1 };
  const opened = await client.get("/notes/{id}/", { path });
  const saved = await client.patch("/notes/{id}/", { path, body: { title: "a" }, ifMatch: opened });
  await client.get("/notes/{id}/", { path });
  const stale = client.patch("/notes/{id}/", { path, body: { title: "b" }, ifMatch: opened });
  await assert.rejects(stale, PreconditionFailedError);
  await client.patch("/notes/{id}/", { path, body: { title: "c" }, ifMatch: saved });
  assert.deepEqual(requests.map((each) => each.headers["if-match"]), [undefined, '"1"', undefined, '"1"', '"2"']);
  await assert.rejects(client.patch("/notes/{id}/", { path, body: {}, ifMatch: {} }), TypeError);
});

test("a repeated write is done if the lost attempt changed the version itself", async () => {
  let stored = { id: 1, title: "old", items: [] };
  let lost = true;
  const { url } = await serve((request, response, body) => {
    if (request.method === "GET") return json(response, 200, stored, { ETag: '"2"' });
    if (!lost) return fail(response, 412, "precondition_failed");
    lost = false;
    stored = { ...stored, ...JSON.parse(body) };
    request.socket.destroy();
  });
  const client = createClient({ url, credentials: token });
  const write = (title) => client.patch("/notes/{id}/", { path: { id: 1 }, body: { title }, ifMatch: '"1"' });
  assert.equal((await write("new")).title, "new");
  // Somebody else's change in between is still an error.
  lost = true;
  const theirs = { ...stored, title: "theirs" };
  const other = write("newer");
  setTimeout(() => (stored = theirs), 50);
  await assert.rejects(other, PreconditionFailedError);
});

test("a DELETE whose answer was lost ends well, and a DELETE of something unknown does not", async () => {
  let lost = true;
  const { url } = await serve((request, response) => {
    if (!lost) return fail(response, 404, "not_found");
    lost = false;
    request.socket.destroy();
  });
  const client = createClient({ url, credentials: token });
  await client.delete("/notes/{id}/", { path: { id: 1 } });
  await assert.rejects(client.delete("/notes/{id}/", { path: { id: 1 } }), { name: "NotFoundError" });
});

test("lists follow cursors and page numbers, only on the client's own host", async () => {
  const { url, requests } = await serve((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://x");
    const other = "https://elsewhere.example";
    if (pathname.endsWith("/notes/")) {
      const cursor = searchParams.get("cursor");
      const next = cursor === "b" ? null : `${other}/api/v1/notes/?cursor=${cursor ? "b" : "a%3D"}&search=x`;
      return json(response, 200, { next, previous: null, results: cursor ? [{ id: cursor }] : [{ id: "first" }, { id: "second" }] });
    }
    if (pathname.endsWith("/conversations/")) {
      return json(response, 200, { results: [{ n: 1 }], next_before: searchParams.has("before") ? null : 5 });
    }
    const page = Number(searchParams.get("page") ?? 1);
    json(response, 200, { count: 3, next: page < 2 ? `${other}/?page=2&steepl=S&steepl=T` : null, previous: null, results: [{ id: page }, { id: 2 }] });
  });
  const client = createClient({ url, credentials: token });
  const notes = await client.list("/notes/", { query: { search: "x" } }).toArray();
  assert.deepEqual(notes.map((each) => each.id), ["first", "second", "a=", "b"]);
  assert.ok(requests.every((each) => each.url.includes("search=x")));
  assert.equal((await client.list("/conversations/").toArray()).length, 2);
  assert.deepEqual((await client.list("/trends/", { query: { steepl: ["S", "T"] } }).toArray()).map((each) => each.id), [1, 2]);
  assert.match(requests.at(-1).url, /\?steepl=S&steepl=T&page=2$/);
  assert.equal((await client.list("/notes/").toArray({ limit: 3 })).length, 3);
  const sizes = [];
  for await (const page of client.list("/notes/").pages()) sizes.push(page.results.length);
  assert.deepEqual(sizes, [2, 1, 1]);
});

test("an upload sends its length, reports progress, and is repeated with one key", async () => {
  let count = 0;
  const { url, requests } = await serve((request, response) => {
    if (++count === 1) return fail(response, 503, "service_unavailable", { "Retry-After": "0" });
    json(response, 202, { id: 3 });
  });
  const client = createClient({ url, credentials: token });
  const file = new File([new Uint8Array(300_000).fill(65)], 'a "b".csv', { type: "text/csv" });
  const progress = [];
  const upload = await client.upload("/contacts/uploads/", {
    body: { file, mapping: { name: "Full name" }, sheet: undefined }, onProgress: (each) => progress.push(each),
  });
  assert.equal(upload.id, 3);
  const [first, second] = requests;
  assert.equal(first.headers["idempotency-key"], second.headers["idempotency-key"]);
  assert.equal(second.headers["transfer-encoding"], undefined);
  assert.equal(Number(second.headers["content-length"]), second.body.length);
  const form = await new Response(second.body, { headers: { "Content-Type": second.headers["content-type"] } }).formData();
  assert.deepEqual([...form.keys()], ["file", "mapping"]);
  assert.equal(form.get("file").size, 300_000);
  assert.equal(form.get("mapping"), '{"name":"Full name"}');
  const last = progress.at(-1);
  assert.equal(last.loaded, last.total);
  assert.equal(last.total, second.body.length);
  assert.ok(progress.length > 2);
});

test("files are returned as Blob, and fetch returns the response", async () => {
  const { url } = await serve((request, response) => response.writeHead(200, { "Content-Type": "text/csv" }).end("a;b"));
  const client = createClient({ url, credentials: token });
  assert.equal(await (await client.get("/contacts/export.csv")).text(), "a;b");
  assert.equal(await (await client.fetch("/contacts/export.csv")).text(), "a;b");
});

test("openapi-fetch's form of the API has the same credentials and retries", async () => {
  let count = 0;
  const { url, requests } = await serve((request, response) =>
    ++count === 1 ? fail(response, 503, "service_unavailable", { "Retry-After": "0" }) : fail(response, 404, "not_found"),
  );
  const { data, error, response } = await createClient({ url, credentials: token }).api.GET("/notes/{id}/", { params: { path: { id: 1 } } });
  assert.deepEqual([data, error.errors[0].code, response.status, requests.length], [undefined, "not_found", 404, 2]);
  assert.equal(requests[0].headers.authorization, "Bearer atr_example");
});
