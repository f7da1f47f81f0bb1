// What a user and a friend do while processes are killed. Runs in Node and, unchanged, in a browser.

function equal(actual, expected, what) {
  const [found, wanted] = [actual, expected].map((each) => JSON.stringify(each));
  if (found !== wanted) throw new Error(`${what}: expected ${wanted}, found ${found}`);
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Storage in memory that can make the access token expire. */
function expiringStorage() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
    expire: () => items.forEach((value, key) => items.set(key, JSON.stringify({ ...JSON.parse(value), expiresAt: 0 }))),
  };
}

/** Follow the events of `client` and, after `resync`, the list; count how often each message arrived as an event. */
function follow(client, sender) {
  const known = new Map();
  const follower = { known, states: [], resyncs: [], polls: 0, failure: null };
  const events = client.events({
    onStateChange: (state) => {
      follower.states.push(state);
      if (state === "polling") follower.polls += 1;
    },
  });
  follower.done = (async () => {
    for await (const event of events) {
      if (event.type === "resync") {
        follower.resyncs.push(event.data.reason);
        const query = { with: sender, after: Math.max(0, ...known.keys()) };
        for await (const message of client.list("/messages/", { query })) if (!known.has(message.id)) known.set(message.id, 0);
      } else if (event.type === "message" && event.data.sender?.usercode === sender) {
        known.set(event.data.id, (known.get(event.data.id) ?? 0) + 1);
      }
    }
  })().catch((error) => (follower.failure = error));
  follower.close = () => events.close();
  follower.knows = async (isComplete) => {
    for (const limit = Date.now() + 60_000; !isComplete(); await pause(50)) {
      if (follower.failure) throw follower.failure;
      if (Date.now() > limit) throw new Error(`not received within a minute: ${JSON.stringify([...known])} ${follower.states}`);
    }
  };
  return follower;
}

/** Write for some seconds, then check that everything is there exactly once. Returns what happened, as JSON. */
export async function drill({ createClient, url, writer, reader, seconds, name }) {
  const storage = expiringStorage();
  const options = { url, maxRetries: 30, maxRetryDelay: 10_000 };
  const [mine, theirs] = [createClient({ ...options, credentials: { storage } }), createClient(options)];
  await mine.signIn({ username: writer.login, password: writer.password });
  await theirs.signIn({ username: reader.login, password: reader.password });
  const follower = follow(theirs, writer.usercode);
  const written = await write({ mine, storage, follower, reader, seconds, name }).finally(async () => {
    follower.close(); // an open stream would keep the process running, whatever has failed
    await follower.done;
  });
  if (follower.failure) throw follower.failure;
  return { ...written, resyncs: follower.resyncs, states: follower.states };
}

async function write({ mine, storage, follower, reader, seconds, name }) {
  await follower.knows(() => follower.resyncs.length);
  const sent = [];
  const uploads = [];
  let note = await mine.post("/notes/", { body: { title: `${name} 0` } });
  const first = note.version;
  let edits = 0;
  const end = Date.now() + seconds * 1000;
  for (let n = 1; Date.now() < end || n <= 10; n++) {
    const message = await mine.post("/messages/", { body: { body: `${name} ${n}`, recipients: [reader.usercode] } });
    sent.push(message.id);
    note = await mine.patch("/notes/{id}/", { path: { id: note.id }, body: { title: `${name} ${++edits}` }, ifMatch: note });
    if (n % 10 === 1) {
      const file = new File([`Name,Phone Number,Email Address\n${name},,${name}-${n}@example.org\n`], `${name}-${n}.csv`);
      uploads.push((await mine.upload("/contacts/uploads/", { body: { file } })).id);
    }
    if (n % 7 === 0) storage.expire();
    await pause(20);
  }

  equal([note.title, note.version - first], [`${name} ${edits}`, edits], "every edit was made once");
  const listed = [];
  for await (const message of mine.list("/messages/", { query: { with: reader.usercode, page_size: 50 } })) {
    if (message.body.startsWith(`${name} `)) listed.push(message.id);
  }
  equal(listed.reverse(), sent, "every message is stored once, in order");
  const stored = [];
  for await (const upload of mine.list("/contacts/uploads/")) if (upload.name.startsWith(`${name}-`)) stored.push(upload.id);
  equal(stored.reverse(), uploads, "every upload is stored once");

  await follower.knows(() => sent.every((id) => follower.known.has(id)));
  equal([...follower.known].filter(([, count]) => count > 1), [], "no event arrived twice");
  const live = sent.filter((id) => follower.known.get(id) === 1).length;
  return { messages: sent.length, live, edits, uploads: uploads.length };
}
