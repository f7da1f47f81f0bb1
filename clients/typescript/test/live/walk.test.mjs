// Every part of the client against a running product. ATRIUM_SITE has its address and accounts.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AuthenticationError, createClient, NotFoundError, PreconditionFailedError, ValidationError,
} from "../../../../config/static/atrium/client.js";

const { url, account, friend } = JSON.parse(process.env.ATRIUM_SITE);
const client = createClient({ url });

test("a wrong password is an AuthenticationError", async () => {
  const failed = createClient({ url }).signIn({ username: account.login, password: "wrong" });
  await assert.rejects(failed, (error) => error instanceof AuthenticationError && error.code === "invalid_credentials");
});

test("signing in", async () => {
  const { mfaRequired, user } = await client.signIn({ username: account.login, password: account.password });
  assert.equal(mfaRequired, false);
  assert.equal(user.usercode, account.usercode);
  assert.equal((await client.get("/auth/profile/")).username, account.login);
});

test("notes: fields of errors, versions, lists", async () => {
  const error = await client.post("/labels/", { body: { name: "" } }).catch((each) => each);
  assert.ok(error instanceof ValidationError);
  assert.deepEqual(Object.keys(error.fields), ["name"]);
  assert.match(error.requestId, /./);

  const created = await client.post("/notes/", { body: { title: "Client", items: [{ text: "Olives" }] } });
  const path = { id: created.id };
  const note = await client.get("/notes/{id}/", { path });
  const saved = await client.patch("/notes/{id}/", { path, body: { title: "Client 2" }, ifMatch: note });
  assert.deepEqual([saved.title, saved.items[0].text], ["Client 2", "Olives"]);
  await assert.rejects(client.patch("/notes/{id}/", { path, body: { title: "x" }, ifMatch: note }), PreconditionFailedError);
  await client.patch("/notes/{id}/", { path, body: { title: "Client 3" }, ifMatch: saved });
  assert.deepEqual(await client.get("/notes/{id}/", { path }), await client.get("/notes/{id}/", { path }));

  const ids = [];
  for await (const each of client.list("/notes/", { query: { page_size: 2 } })) ids.push(each.id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.length > 2 && ids.includes(created.id));
  await client.delete("/notes/{id}/", { path });
  await assert.rejects(client.get("/notes/{id}/", { path }), NotFoundError);
});

test("trends: numbered pages, without a sign-in", async () => {
  const visitor = createClient({ url });
  const { count } = await visitor.get("/trends/", { query: { page_size: 1 } });
  assert.equal((await visitor.list("/trends/", { query: { page_size: 7 } }).toArray()).length, count);
});

test("live events, an upload with progress, and a file", { timeout: 60_000 }, async () => {
  const events = client.events();
  const reading = (async () => {
    const found = [];
    for await (const event of events) {
      found.push(event);
      if (found.some((each) => each.type === "message") && event.type === "upload" && event.data.status.startsWith("completed")) break;
    }
    return found;
  })();
  while (events.state !== "open") await new Promise((resolve) => setTimeout(resolve, 20));
  const message = await client.post("/messages/", { body: { body: "Lunch?", recipients: [friend.usercode] } });
  const file = new File(["Name,Phone Number,Email Address\nGrace,,grace@example.org\n"], "people.csv", { type: "text/csv" });
  let progress;
  const upload = await client.upload("/contacts/uploads/", { body: { file }, onProgress: (each) => (progress = each) });
  assert.equal(progress.loaded, progress.total);
  const found = await reading;
  assert.equal(found[0].type, "resync");
  assert.deepEqual(found.filter((each) => each.type === "message").map((each) => each.data.id), [message.id]);
  assert.equal(found.at(-1).data.id, upload.id);
  const csv = await client.get("/contacts/export.csv", { query: { search: "grace@example.org" } });
  assert.match(await csv.text(), /Grace/);
});

test("long polls return the same events", { timeout: 60_000 }, async () => {
  const events = client.events({ mode: "poll" });
  const found = [];
  let id;
  for await (const event of events) {
    found.push(event);
    if (event.type === "resync") ({ id } = await client.post("/messages/", { body: { body: "Dinner?", recipients: [friend.usercode] } }));
    if (event.type === "message") break;
  }
  assert.deepEqual(found.map((each) => each.type), ["resync", "message"]);
  assert.equal(found[1].data.id, id);
});

test("signing out ends the session on the server", async () => {
  const { access } = await client.session();
  await client.signOut();
  await assert.rejects(createClient({ url, credentials: { token: access } }).get("/auth/profile/"), AuthenticationError);
});
