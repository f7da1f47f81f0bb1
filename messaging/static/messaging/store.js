// The page's data: people, who is online, conversations, and the messages of opened threads. It calls the API and emits
// "changed" with the part that changed; the views read from it.
import { UNDO_TIME, actions } from "./undo.js";
import { live } from "../atrium/live.js";
import { knownPeople } from "../atrium/people.js";
import { Loader, atrium, nextQuery } from "../atrium/site.js";
import { showUnread } from "../atrium/unread.js";

export const EVERYONE = "everyone"; // no usercode: those are upper case
export const DELETED = "deleted"; // all deleted accounts together
export const DELETABLE = 15 * 60 * 1000; // milliseconds after sending; the server has the same limit
const PAGE = 50;
const CATCH_UP_PAGES = 10; // of 200 messages; after a longer absence everything is loaded again
const OVERLAP = 60000; // a change that was committed late may be older than a message that is known
const COUNT_PAUSE = 300; // milliseconds: several messages arrive together
const TRAVEL_TIME = 3000; // a request must reach the server before that limit
const NO_UNREAD = { count: 0, broadcasts: 0 };

export class Store extends EventTarget {
  #blocksLoader = new Loader(() => atrium.get("/blocks/"), (blocks) => this.#setBlocks(blocks));
  #counted = new Set(); // ids of messages that are in the unread counts
  #countTimer = 0;
  #deletedIds = new Set();
  #edits = new Map(); // a message's id -> its last known { body, edited_at }
  #readMeanwhile = new Set(); // for each page of messages that is being loaded, the events that arrive meanwhile
  #presenceEvents = []; // those that arrived while a heartbeat was under way
  #presenceLoader = new Loader(() => this.#postHeartbeat(), (answer) => this.#setOnline(answer));
  #unreadLoader = new Loader(() => atrium.get("/messages/unread/"), (unread) => this.#setUnread(unread));

  constructor(me) {
    super();
    this.me = me;
    this.people = new Map([[me.usercode, me]]);
    this.online = new Map();
    this.conversations = new Map(); // usercode or DELETED -> the last message
    this.unread = new Map(); // usercode, EVERYONE or DELETED -> { count, broadcasts }
    this.threads = new Map(); // usercode, EVERYONE or DELETED -> see thread()
    this.blocked = new Set();
    this.olderThan = null;
    this.synced = 0; // the id up to which all messages are known
    this.syncedAt = 0; // the server's time until which all edits and deletions are known, in milliseconds
    this.actions = actions;
    for (const kind of ["changed", "failed"]) actions.addEventListener(kind, ({ detail }) => this.#actionChanged(detail.action));
    actions.addEventListener("done", ({ detail }) => this.#actionDone(detail.action));
  }

  changed(part, detail = {}) {
    this.dispatchEvent(new CustomEvent("changed", { detail: { part, ...detail } }));
  }

  // --- Loading ------------------------------------------------------------------------------------------------------

  async load() {
    const [conversations, newest, orphans] = await Promise.all([
      atrium.get("/conversations/"),
      atrium.get("/messages/", { query: { page_size: 1 } }),
      atrium.get("/messages/", { query: { from_deleted: true, page_size: 1 } }),
      this.refreshUnread(),
      this.refreshBlocks(),
    ]);
    this.threads.clear(); // one that was opened before lacks what came until the stream was open
    this.#addConversations(conversations);
    for (const message of orphans.results) this.conversations.set(DELETED, message);
    this.changed("conversations");
    this.synced = newest.results[0]?.id ?? 0;
    this.syncedAt = Date.parse(newest.results[0]?.created_at ?? "1970-01-02");
  }

  async loadOlderConversations() {
    if (this.olderThan === null) return;
    this.#addConversations(await atrium.get("/conversations/", { query: { before: this.olderThan } }));
    this.changed("conversations");
  }

  // Load the people of conversations that are not in the list yet, so that they are found by name.
  async loadPeople() {
    for (const person of await knownPeople()) this.addPerson(person);
    this.changed("people");
  }

  #addConversations({ results, next_before }) {
    for (const { person, last_message } of results) {
      this.addPerson(person);
      const known = this.conversations.get(person.usercode);
      if (!known || known.id < last_message.id) this.conversations.set(person.usercode, this.#withChanges(last_message));
    }
    this.olderThan = next_before;
  }

  refreshUnread() {
    return this.#unreadLoader.run();
  }

  #setUnread({ total, by_sender }) {
    showUnread(total);
    this.unread = new Map(by_sender.map(({ usercode, count, broadcasts }) => [usercode ?? DELETED, { count, broadcasts }]));
    const count = by_sender.reduce((sum, { broadcasts }) => sum + broadcasts, 0);
    this.unread.set(EVERYONE, { count, broadcasts: 0 });
    this.changed("conversations");
  }

  // The number on a conversation's badge. A broadcast is counted for EVERYONE only.
  badge(code) {
    const { count, broadcasts } = this.unread.get(code) ?? NO_UNREAD;
    return count - broadcasts;
  }

  get badges() {
    return [...this.unread.keys()].reduce((sum, code) => sum + this.badge(code), 0);
  }

  // Remember a person. A known picture is kept until a new one arrives.
  addPerson(person) {
    const known = this.people.get(person.usercode);
    this.people.set(person.usercode, { image: known?.image ?? null, ...person });
    return this.people.get(person.usercode);
  }

  async fetchPerson(usercode) {
    return this.addPerson(await atrium.get("/people/{usercode}/", { path: { usercode } }));
  }

  // --- Threads ------------------------------------------------------------------------------------------------------

  // A thread holds a range of messages without gaps. `atStart` and `atEnd` say whether it reaches to either end.
  thread(code) {
    if (!this.threads.has(code)) {
      const range = { messages: new Map(), atStart: false, atEnd: true };
      this.threads.set(code, { ...range, later: [], loaded: false, loading: new Map() }); // later: received behind a gap
    }
    return this.threads.get(code);
  }

  // The loaded messages of a thread, oldest first.
  messages(code) {
    const thread = this.thread(code);
    thread.sorted ??= [...thread.messages.values()].sort((a, b) => a.id - b.id);
    return thread.sorted;
  }

  // Load the newest messages, or those around the first unread one if it is further back.
  open(code) {
    const thread = this.thread(code);
    return this.#once(thread, "open", async () => {
      if (thread.loaded && thread.atEnd) return;
      const newest = await this.#fetch(code, { page_size: PAGE });
      if (!thread.atEnd) thread.messages.clear(); // what is loaded is somewhere else
      this.#addNewer(code, { ...newest, next: null });
      thread.atStart = !newest.next;
      const missing = (this.unread.get(code)?.count ?? 0) > this.messages(code).filter((message) => this.isUnread(code, message)).length;
      if (missing && newest.next) {
        const [first] = (await this.#fetch(code, { unread: true, after: 0, page_size: 1 })).results;
        if (first && !thread.messages.has(first.id)) await this.#openAt(code, first.id);
      }
      thread.loaded = true;
      this.changed("thread", { code });
    });
  }

  // Load the messages around the message `id`, unless it is loaded. Returns whether it is in the thread.
  async openAt(code, id) {
    const thread = this.thread(code);
    await this.#once(thread, `at ${id}`, async () => {
      if (thread.messages.has(id)) return;
      await this.#openAt(code, id);
      thread.loaded = true;
      this.changed("thread", { code });
    });
    return thread.messages.has(id);
  }

  async #openAt(code, id) {
    const [before, after] = await Promise.all([
      this.#fetch(code, { before: id, page_size: PAGE }),
      this.#fetch(code, { after: id - 1, page_size: 2 * PAGE }),
    ]);
    const thread = this.thread(code);
    thread.later = [...thread.messages.values()];
    thread.messages.clear();
    this.#addPage(code, before.results);
    thread.atStart = !before.next;
    this.#addNewer(code, after);
  }

  // Add messages that follow the loaded ones, and at the end those that were received in the meantime.
  #addNewer(code, { results, next }) {
    const thread = this.thread(code);
    this.#addPage(code, results);
    thread.atEnd = !next;
    if (next) return;
    const last = this.messages(code).at(-1)?.id ?? 0;
    this.#addPage(code, thread.later.filter(({ id }) => id > last));
    thread.later = [];
  }

  // Load the newest messages of a thread that does not reach to its end.
  openEnd(code) {
    const thread = this.thread(code);
    return this.#once(thread, "end", async () => {
      if (thread.atEnd) return;
      const { results, next } = await this.#fetch(code, { page_size: PAGE });
      thread.messages.clear();
      thread.atStart = !next;
      this.#addNewer(code, { results, next: null });
      this.changed("thread", { code });
    });
  }

  loadOlder(code) {
    const thread = this.thread(code);
    return this.#once(thread, "older", async () => {
      if (thread.atStart) return;
      const { results, next } = await this.#fetch(code, { before: this.messages(code)[0].id, page_size: PAGE });
      this.#addPage(code, results);
      thread.atStart = !next;
      this.changed("thread", { code });
    });
  }

  loadNewer(code) {
    const thread = this.thread(code);
    return this.#once(thread, "newer", async () => {
      if (thread.atEnd) return;
      this.#addNewer(code, await this.#fetch(code, { after: this.messages(code).at(-1).id, page_size: 2 * PAGE }));
      this.changed("thread", { code });
    });
  }

  // Concurrent calls of one kind share one request. Those of different kinds wait for each other: each continues the range
  // of messages that the one before it has left.
  #once(thread, kind, work) {
    if (!thread.loading.has(kind)) {
      const before = [...thread.loading.values()].at(-1)?.catch(() => {});
      thread.loading.set(kind, Promise.resolve(before).then(work).finally(() => thread.loading.delete(kind)));
    }
    return thread.loading.get(kind);
  }

  async #fetch(code, query) {
    const reads = [];
    this.#readMeanwhile.add(reads);
    try {
      const page = await atrium.get("/messages/", { query: { ...this.#peer(code), ...query } });
      return { ...page, results: page.results.map((message) => reads.reduce((each, read) => this.#withRead(each, read), message)) };
    } finally {
      this.#readMeanwhile.delete(reads);
    }
  }

  // The filter of a thread, for the list of messages and for what was read.
  #peer(code) {
    return { [EVERYONE]: { broadcast: true }, [DELETED]: { from_deleted: true } }[code] ?? { with: code };
  }

  #addPage(code, messages) {
    for (const message of messages) this.#add(code, message);
  }

  #add(code, incoming) {
    const thread = this.thread(code);
    let message = this.#withChanges(incoming);
    const known = thread.messages.get(message.id);
    // An event does not contain when and by whom a message was read. The event of a broadcast comes when its receipt
    // exists: a message that was read before must be marked again.
    if (known && message.read_at === null && !message.broadcast) message = { ...message, read_at: known.read_at };
    if (known && !message.recipients.some((each) => "read_at" in each)) message = { ...message, recipients: known.recipients };
    this.#put(thread, message);
    if (message.sender) this.addPerson(message.sender);
    for (const { usercode, username } of message.recipients) this.addPerson({ usercode, username });
  }

  #put(thread, message) {
    thread.messages.set(message.id, message);
    thread.sorted = null;
  }

  // After a gap in the events: load what came, was edited and was deleted since then, or everything again.
  async catchUp() {
    const since = new Date(this.syncedAt - OVERLAP).toISOString();
    const complete =
      (await this.#forEach({ changed_since: since }, (message) => (message.deleted_at ? this.#markDeleted(message.id) : this.markEdited(message)))) &&
      (await this.#forEach({ after: this.synced }, (message) => {
        this.receive(message, { count: false });
        this.synced = Math.max(this.synced, message.id);
        this.syncedAt = Math.max(this.syncedAt, Date.parse(message.created_at));
      }));
    if (!complete) {
      const open = [...this.threads.keys()];
      this.threads.clear();
      this.conversations.clear();
      await this.load();
      for (const code of open) this.changed("thread", { code, reset: true });
    }
    await this.refreshUnread();
  }

  // Call `apply` with each message that fits the query; returns false if there are too many.
  async #forEach(query, apply) {
    let next = { ...query, page_size: 200 };
    for (let pages = 0; next && pages < CATCH_UP_PAGES; pages++) {
      const page = await atrium.get("/messages/", { query: next });
      page.results.forEach(apply);
      next = nextQuery(page);
    }
    return !next;
  }

  // --- Events -------------------------------------------------------------------------------------------------------

  // A late event or page may contain a message that was edited or deleted since.
  #withChanges(message) {
    const edit = this.#edits.get(message.id);
    if (!this.#deletedIds.has(message.id)) return edit && edit.edited_at > (message.edited_at ?? "") ? { ...message, ...edit } : message;
    return { ...message, body: "", deleted_at: message.deleted_at ?? new Date().toISOString() };
  }

  // Whether I have received a message of this thread and not read it.
  isUnread(code, message) {
    const received = message.sender?.usercode !== this.me.usercode || code === this.me.usercode;
    return received && !message.read_at && !message.deleted_at;
  }

  // Add a message from an event, a page or a response; with `count` it increases the unread counts.
  receive(incoming, { count = true } = {}) {
    const message = this.#withChanges(incoming);
    const mine = message.sender?.usercode === this.me.usercode;
    const peers = mine ? message.recipients.map((each) => each.usercode) : [message.sender?.usercode ?? DELETED];
    for (const code of message.broadcast ? [...peers, EVERYONE] : peers) {
      const thread = this.threads.get(code);
      if (!thread) continue; // it gets the message with its first page
      if (thread.atEnd || thread.messages.has(message.id)) this.#add(code, message);
      else thread.later.push(message);
      this.changed("thread", { code });
    }
    if (message.sender) this.addPerson(message.sender);
    for (const code of mine && message.broadcast ? [] : peers) {
      if (mine) this.addPerson(message.recipients.find((each) => each.usercode === code));
      if (!(this.conversations.get(code)?.id > message.id)) this.conversations.set(code, { ...message, mine, body: message.body.slice(0, 200) });
    }
    if (count && !this.#counted.has(message.id)) {
      const [code] = mine ? peers.filter((each) => each === this.me.usercode) : peers;
      if (code && this.isUnread(code, message)) this.#count(code, message);
    }
    this.#counted.add(message.id);
    this.changed("conversations");
  }

  #count(code, { broadcast }) {
    const { count, broadcasts } = this.unread.get(code) ?? NO_UNREAD;
    this.unread.set(code, { count: count + 1, broadcasts: broadcasts + (broadcast ? 1 : 0) });
    if (this.#unreadLoader.isRunning) this.#countAgain(); // whether the answer includes this message is unknown
    if (!broadcast) return;
    const everyone = this.unread.get(EVERYONE) ?? NO_UNREAD;
    this.unread.set(EVERYONE, { ...everyone, count: everyone.count + 1 });
  }

  #countAgain() {
    this.#countTimer ||= setTimeout(() => {
      this.#countTimer = 0;
      this.refreshUnread().catch(() => {});
    }, COUNT_PAUSE);
  }

  // A message has a new text. Of two edits that arrive out of order, the later one counts.
  markEdited({ id, body, edited_at }) {
    if (!edited_at || (this.#edits.get(id)?.edited_at ?? "") >= edited_at) return;
    this.#edits.set(id, { body, edited_at });
    for (const [code, thread] of this.threads) {
      const message = thread.messages.get(id);
      thread.later = thread.later.map((each) => (each.id === id ? this.#withChanges(each) : each));
      if (!message) continue;
      this.#put(thread, this.#withChanges(message));
      this.changed("thread", { code });
    }
    for (const [code, last] of this.conversations) {
      if (last.id === id && !last.deleted_at) this.conversations.set(code, { ...last, body: body.slice(0, 200) });
    }
    this.changed("conversations");
  }

  markDeleted({ id }) {
    this.#markDeleted(id);
    // It may have been unread, also in a thread that is not loaded.
    if (this.badges) this.refreshUnread().catch(() => {}); // the next event refreshes the counts as well
  }

  #markDeleted(id) {
    this.#deletedIds.add(id);
    for (const [code, thread] of this.threads) {
      const message = thread.messages.get(id);
      if (!message) continue;
      this.#put(thread, this.#withChanges(message));
      this.changed("thread", { code });
    }
    for (const [code, last] of this.conversations) {
      if (last.id === id) this.conversations.set(code, { ...last, body: "", deleted_at: "now" });
    }
    this.changed("conversations");
  }

  // A recipient has read my messages, or I have read messages in another window.
  applyRead(read) {
    if (read.reader.usercode === this.me.usercode) {
      this.refreshUnread().catch(() => {}); // the next event refreshes the counts as well
      return;
    }
    for (const reads of this.#readMeanwhile) reads.push(read);
    // A message to several people is in the thread of each of them.
    for (const [code, thread] of this.threads) {
      for (const before of thread.messages.values()) {
        const message = this.#withRead(before, read);
        if (message === before) continue;
        this.#put(thread, message);
        this.changed("thread", { code });
      }
    }
  }

  #withRead(message, { reader, from, up_to }) {
    if (message.id < from || message.id > up_to || message.sender?.usercode !== this.me.usercode) return message;
    if (!message.recipients.some((each) => each.usercode === reader.usercode && !each.read_at)) return message;
    const read_at = new Date().toISOString();
    return { ...message, recipients: message.recipients.map((each) => (each.usercode === reader.usercode ? { ...each, read_at } : each)) };
  }

  // --- Presence -----------------------------------------------------------------------------------------------------

  heartbeat() {
    return this.#presenceLoader.run();
  }

  #postHeartbeat() {
    this.#presenceEvents = [];
    return atrium.post("/presence/", { maxRetries: 0 });
  }

  #setOnline({ online }) {
    this.online = new Map(online.map((each) => [each.usercode, this.addPerson(each)]));
    for (const event of this.#presenceEvents) this.#changeOnline(event); // they may be newer than the answer
    this.changed("presence");
  }

  applyPresence(event) {
    if (event.refresh) {
      // Many people came or left at once. A random delay spreads the requests of all clients.
      setTimeout(() => this.heartbeat().catch(() => {}), Math.random() * 5000);
      return;
    }
    if (this.#presenceLoader.isRunning) this.#presenceEvents.push(event);
    this.#changeOnline(event);
    this.changed("presence");
  }

  #changeOnline({ online, offline }) {
    for (const person of online) this.online.set(person.usercode, this.addPerson(person));
    for (const code of offline) this.online.delete(code);
  }

  get others() {
    return [...this.online.values()].filter((person) => person.usercode !== this.me.usercode);
  }

  // --- Actions ------------------------------------------------------------------------------------------------------

  // Mark the messages of a thread up to the id `upTo` as read.
  async markRead(code, upTo) {
    const thread = this.thread(code);
    const ids = this.messages(code).filter((message) => message.id <= upTo && this.isUnread(code, message)).map(({ id }) => id);
    if (!ids.length) return;
    const mark = (read_at) => {
      for (const id of ids) if (thread.messages.has(id)) this.#put(thread, { ...thread.messages.get(id), read_at });
    };
    mark(new Date().toISOString());
    try {
      await atrium.post("/messages/read/", { body: { up_to: Math.max(...ids), ...this.#peer(code) } });
    } catch (error) {
      mark(null);
      throw error;
    }
    await this.refreshUnread();
  }

  // Change the text of my message for everybody.
  async edit(id, body) {
    this.markEdited(await atrium.patch("/messages/{id}/", { path: { id }, body: { body } }));
  }

  // Delete a message for everybody, in time for the server's limit, unless it is undone.
  deleteMessage({ id, created_at }) {
    const left = Date.parse(created_at) + DELETABLE - TRAVEL_TIME - Date.now();
    this.actions.add("delete", id, { time: Math.max(0, Math.min(UNDO_TIME, left)) });
  }

  block(code) {
    this.actions.add("block", code, { name: this.people.get(code).username });
  }

  async unblock(code) {
    await this.actions.settled("block", code);
    this.actions.undo("block", code); // its answer was lost, and it would be sent again
    await atrium.delete("/blocks/{usercode}/", { path: { usercode: code } });
    this.#blocksLoader.changed();
    this.blocked.delete(code);
    this.changed("head");
    live.share("blocks", {});
  }

  refreshBlocks() {
    return this.#blocksLoader.run();
  }

  #setBlocks(blocks) {
    this.blocked = new Set(blocks.map((each) => each.usercode));
    this.changed("head");
  }

  #actionChanged({ kind, target }) {
    if (kind === "block") return this.changed("head");
    for (const [code, thread] of this.threads) if (thread.messages.has(target)) this.changed("thread", { code });
    this.changed("conversations");
  }

  #actionDone({ kind, target }) {
    if (kind === "delete") return this.markDeleted({ id: target });
    this.blocked.add(target);
    this.changed("head");
    this.refreshBlocks().catch(() => {}); // an old action does not block again a person who was unblocked since
  }
}
