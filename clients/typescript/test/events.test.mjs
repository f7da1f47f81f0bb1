import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthenticationError, createClient } from "../../../config/static/atrium/client.js";
import { fail, json, serve } from "./server.mjs";

const credentials = { token: "atr_example" };
const frame = (id, type, data = {}) => `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
const stream = (response) => response.writeHead(200, { "Content-Type": "text/event-stream" });

/** Read events until `count` have arrived. */
async function read(events, count) {
  const found = [];
  for await (const event of events) if (found.push(event) === count) break;
  return found;
}

test("events are parsed however their bytes are split", async () => {
  const text = frame("1", "ready") + ": comment\n\n" + 'id: 2\r\nevent: message\r\ndata: {"id": 5,\r\ndata: "body": "Zoë 🙂"}\r\n\r\n';
  const { url } = await serve(async (request, response) => {
    stream(response);
    for (const byte of Buffer.from(text)) {
      response.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const [first, second] = await read(createClient({ url, credentials }).events(), 2);
  assert.deepEqual(first, { type: "resync", id: "1", data: { reason: "start" } });
  assert.deepEqual(second, { type: "message", id: "2", data: { id: 5, body: "Zoë 🙂" } });
});

test("a broken stream continues after the last event, and half an event is not returned", async () => {
  let count = 0;
  const { url, requests } = await serve((request, response) => {
    stream(response);
    if (++count === 1) {
      response.write(frame("1", "ready") + frame("2", "note", { id: 1 }) + 'id: 3\nevent: note\ndata: {"id": 2}\n');
      return setTimeout(() => request.socket.destroy(), 50);
    }
    response.write(frame("2", "ready") + frame("3", "note", { id: 2 }) + frame("4", "resync") + frame("5", "note", { id: 3 }));
  });
  const states = [];
  const events = createClient({ url, credentials }).events({ onStateChange: (state) => states.push(state) });
  const found = await read(events, 5);
  assert.deepEqual(found.map((each) => [each.id, each.type]), [["1", "resync"], ["2", "note"], ["3", "note"], ["4", "resync"], ["5", "note"]]);
  assert.deepEqual([found[0].data.reason, found[3].data.reason], ["start", "gap"]);
  assert.deepEqual(requests.map((each) => each.headers["last-event-id"]), [undefined, "2"]);
  assert.deepEqual(states, ["open", "waiting", "connecting", "open", "closed"]);
  assert.deepEqual([events.state, events.lastEventId], ["closed", "5"]);
});

test("a stored id resumes, without resync", async () => {
  const { url, requests } = await serve((request, response) => {
    stream(response);
    response.write(frame("7", "ready") + frame("8", "deleted", { id: 1 }));
  });
  const [event] = await read(createClient({ url, credentials }).events({ lastEventId: "7" }), 1);
  assert.equal(event.type, "deleted");
  assert.equal(requests[0].headers["last-event-id"], "7");
});

test("long polls are used when streams do not get through", { timeout: 30_000 }, async () => {
  let polls = 0;
  const { url, requests } = await serve((request, response) => {
    const wait = new URL(request.url, "http://x").searchParams.get("wait");
    // A proxy that ends streams at once, or without a byte of them.
    if (wait === null) return stream(response).end();
    polls += 1;
    if (wait === "0") return json(response, 200, { events: [], last_event_id: "10" });
    const id = Number(request.headers["last-event-id"]) + 1;
    json(response, 200, { events: [{ id: String(id), type: "note", data: { id } }], last_event_id: String(id) });
  });
  const states = [];
  const events = createClient({ url, credentials }).events({ onStateChange: (state) => states.push(state) });
  const found = await read(events, 4);
  assert.deepEqual(found.map((each) => [each.type, each.id]), [["resync", "10"], ["note", "11"], ["note", "12"], ["note", "13"]]);
  assert.equal(polls, 4);
  assert.deepEqual(requests.slice(0, 2).map((each) => each.url), Array(2).fill("/api/v1/events/"));
  assert.equal(states.at(-2), "polling");
});

test("the end of the session ends the iteration with its error; a spent ticket does not", async () => {
  let count = 0;
  const { url } = await serve((request, response) => fail(response, 401, ++count === 1 ? "invalid_ticket" : "not_authenticated"));
  await assert.rejects(read(createClient({ url, credentials }).events(), 1), AuthenticationError);
  assert.equal(count, 2);
});

test("close() and an aborted signal end the iteration without an error", async () => {
  const { url } = await serve((request, response) => stream(response).write(frame("1", "ready")));
  const client = createClient({ url, credentials });
  for (const end of [(events) => events.close(), (_, controller) => controller.abort()]) {
    const controller = new AbortController();
    const events = client.events({ signal: controller.signal });
    const found = [];
    for await (const event of events) {
      found.push(event.type);
      setTimeout(() => end(events, controller), 20);
    }
    assert.deepEqual(found, ["resync"]);
    assert.equal(events.state, "closed");
  }
});
