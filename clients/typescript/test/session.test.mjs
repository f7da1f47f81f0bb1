import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthenticationError, createClient } from "../../../config/static/atrium/client.js";
import { accessToken, fail, json, serve, storage } from "./server.mjs";

const user = { username: "ada", email: "ada@example.org", usercode: "K7QX2M" };

/** A server with one account, whose refresh tokens can be used once. */
async function site({ seconds = 600 } = {}) {
  const state = { generation: 0, refreshes: 0, ended: false };
  const tokens = () => ({ access: accessToken(`access-${state.generation}`, seconds), refresh: `refresh-${state.generation}` });
  const server = await serve(async (request, response, body) => {
    const data = body.length ? JSON.parse(body) : {};
    if (request.url.endsWith("/login/")) return json(response, 200, { ...tokens(), user });
    if (request.url.endsWith("/token/refresh/")) {
      state.refreshes += 1;
      if (state.ended || data.refresh !== `refresh-${state.generation}`) return fail(response, 401, "token_not_valid");
      state.generation += 1;
      await new Promise((resolve) => setTimeout(resolve, 30));
      return json(response, 200, tokens());
    }
    if (request.url.endsWith("/logout/")) return response.writeHead(204).end();
    if (request.headers.authorization !== `Bearer ${tokens().access}`) return fail(response, 401, "not_authenticated");
    json(response, 200, user);
  });
  return { ...server, state };
}

test("calls that are refused together share one refresh", async () => {
  const { url, state } = await site();
  const client = createClient({ url });
  assert.deepEqual(await client.signIn({ username: "ada", password: "x" }), { mfaRequired: false, user });
  state.generation += 0;
  const session = await client.session();
  assert.equal(session.user.usercode, "K7QX2M");
  // The server no longer accepts the access token.
  const stale = { ...session, access: accessToken("old") };
  const store = storage();
  store.setItem(`atrium:${url}`, JSON.stringify(stale));
  const second = createClient({ url, credentials: { storage: store } });
  const profiles = await Promise.all(Array.from({ length: 8 }, () => second.get("/auth/profile/")));
  assert.equal(profiles.length, 8);
  assert.equal(state.refreshes, 1);
  assert.equal((await second.session()).refresh, "refresh-1");
});

test("two clients with one storage do not use a refresh token twice", async () => {
  const { url, state } = await site();
  const store = storage();
  const first = createClient({ url, credentials: { storage: store } });
  await first.signIn({ username: "ada", password: "x" });
  const second = createClient({ url, credentials: { storage: store } });
  const stored = JSON.parse(store.getItem(`atrium:${url}`));
  store.setItem(`atrium:${url}`, JSON.stringify({ ...stored, access: accessToken("old") }));
  await first.get("/auth/profile/");
  await second.get("/auth/profile/");
  assert.equal(state.refreshes, 1);
});

/** Replace `navigator.locks` until the end of the test; returns for how long each lock was held. */
function useLocks(context) {
  const held = [];
  let last = Promise.resolve();
  const request = (_, action) => {
    const mine = last.then(async () => {
      const began = performance.now();
      await action();
      held.push(performance.now() - began);
    });
    last = mine.catch(() => {});
    return mine;
  };
  const original = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
  context.after(() => (original ? Object.defineProperty(globalThis, "navigator", original) : delete globalThis.navigator));
  return held;
}

/** Storages of several tabs: what one tab stores is visible to the others `delay` milliseconds later. */
function tabs(count, delay) {
  const stores = Array.from({ length: count }, storage);
  return stores.map((own) => ({
    ...own,
    own,
    setItem: (key, value) => {
      own.setItem(key, value);
      setTimeout(() => stores.forEach((each) => each.setItem(key, value)), delay);
    },
  }));
}

test("a tab that sees new tokens late does not send the spent one", async (context) => {
  const held = useLocks(context);
  const { url, state } = await site();
  const stores = tabs(4, 200);
  const clients = stores.map((store) => createClient({ url, credentials: { storage: store } }));
  await clients[0].signIn({ username: "ada", password: "x" });
  const key = `atrium:${url}`;
  while (!stores[3].getItem(key)) await new Promise((resolve) => setTimeout(resolve, 10));
  const expired = JSON.stringify({ ...JSON.parse(stores[0].getItem(key)), expiresAt: 0 });
  for (const store of stores) store.own.setItem(key, expired);
  const profiles = await Promise.all(clients.map((client) => client.get("/auth/profile/")));
  assert.equal(profiles.length, 4);
  assert.equal(state.refreshes, 1);
  // Only the tab that has stored the tokens holds its lock longer.
  assert.equal(held.slice(0, 4).filter((each) => each >= 500).length, 1);
});

test("an access token is renewed before it expires", async () => {
  const { url, state, requests } = await site({ seconds: 5 });
  const client = createClient({ url });
  await client.signIn({ username: "ada", password: "x" });
  await client.get("/auth/profile/");
  assert.equal(state.refreshes, 1);
  assert.deepEqual(requests.map((each) => each.url.split("/").at(-2)), ["login", "refresh", "profile"]);
});

test("the end of the session is an AuthenticationError, and the tokens are removed", async () => {
  const { url, state } = await site();
  const client = createClient({ url });
  const changes = [];
  const stop = client.onSessionChange((session) => changes.push(session?.user?.username ?? null));
  await client.signIn({ username: "ada", password: "x" });
  state.ended = true;
  state.generation = 9;
  await assert.rejects(client.get("/auth/profile/"), AuthenticationError);
  assert.equal(await client.session(), null);
  assert.deepEqual(changes, ["ada", null]);
  stop();
});

test("signing out removes the tokens, also if the server is away", async () => {
  const { url, requests } = await site();
  const client = createClient({ url, maxRetries: 0 });
  await client.signIn({ email: "ada@example.org", password: "x" });
  await client.signOut();
  assert.deepEqual(JSON.parse(requests.at(-1).body), { refresh: "refresh-0" });
  const away = createClient({ url: "http://127.0.0.1:1", credentials: { storage: storage() }, maxRetries: 0 });
  await away.signOut();
  assert.equal(await client.session(), null);
});

test("a second factor is asked for, and a wrong code can be repeated", async () => {
  const { url, requests } = await serve((request, response, body) => {
    const data = JSON.parse(body);
    if (request.url.endsWith("/login/")) {
      const methods = ["totp", "recovery_code"];
      return json(response, 200, { mfa_required: true, ticket: "t1", methods, passkey_options: null, expires_in: 300 });
    }
    if (data.code !== "123456") return fail(response, 400, "invalid_code", {}, "code");
    json(response, 200, { access: accessToken("a"), refresh: "r", user });
  });
  const client = createClient({ url });
  const result = await client.signIn({ username: "ada", password: "x" });
  assert.equal(result.mfaRequired, true);
  assert.deepEqual(result.methods, ["totp", "recovery_code"]);
  assert.equal(await client.session(), null);
  const error = await result.submitCode("000000").catch((each) => each);
  assert.deepEqual(error.fields, { code: ["It is invalid_code."] });
  assert.deepEqual(await result.submitCode("123456"), user);
  assert.deepEqual(JSON.parse(requests.at(-1).body), { ticket: "t1", code: "123456" });
  assert.equal((await client.session()).refresh, "r");
});

test("a passkey signs in without a password", async () => {
  const { url, requests } = await serve((request, response) =>
    request.url.endsWith("/options/")
      ? json(response, 200, { ticket: "t2", options: { challenge: "abc" } })
      : json(response, 200, { access: accessToken("a"), refresh: "r", user }),
  );
  const client = createClient({ url });
  const get = async (options) => ({ id: "key", challenge: options.challenge });
  assert.deepEqual(await client.signInWithPasskey({ get }), user);
  assert.deepEqual(JSON.parse(requests[1].body), { ticket: "t2", credential: { id: "key", challenge: "abc" } });
});

test("a personal token is sent as it is, and is never refreshed", async () => {
  const { url, requests } = await serve((request, response) => fail(response, 401, "not_authenticated"));
  const client = createClient({ url, credentials: { token: async () => "atr_1" } });
  await assert.rejects(client.get("/notes/"), AuthenticationError);
  assert.deepEqual(requests.map((each) => each.headers.authorization), ["Bearer atr_1"]);
});

test("a session of the site's cookie is renewed by the same call", async () => {
  let number = 0;
  const { url, requests } = await serve((request, response) => {
    if (request.url.endsWith("/from-session/")) return json(response, 200, { access: accessToken(`a${++number}`), expires_in: 600 });
    if (request.headers.authorization !== `Bearer ${accessToken("a2")}`) return fail(response, 401, "not_authenticated");
    json(response, 200, user);
  });
  const client = createClient({ url });
  await client.signInWithCookie();
  assert.equal((await client.get("/auth/profile/")).username, "ada");
  assert.deepEqual(requests.map((each) => each.url.split("/").at(-2)), ["from-session", "profile", "from-session", "profile"]);
  assert.equal("x-csrftoken" in requests[0].headers, true);
});

test("a page with the site's cookie is notified when the session has ended", async () => {
  const { url } = await serve((request, response) => fail(response, 401, "not_authenticated"));
  const client = createClient({ url, credentials: "cookie" });
  const sessions = [];
  client.onSessionChange((session) => sessions.push(session));
  await assert.rejects(client.get("/notes/"), AuthenticationError);
  assert.deepEqual(sessions, [null]);
});
