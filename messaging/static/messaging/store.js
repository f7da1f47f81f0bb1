// What this page knows: people, who of them is online, conversations and the messages of those that were opened.
// It asks the API and tells "changed" with the part that has; the views read from it and draw.
import { api } from "../atrium/api.js";

export const EVERYONE = "everyone"; // usercodes are upper case, so this is nobody's, nor is the next
export const DELETED = "deleted"; // all whose accounts are gone: nothing tells them apart any more
const PAGE = 50;
const CATCH_UP_PAGES = 10; // of 200; whoever was away for longer begins anew

export class Store extends EventTarget {
  constructor(me) {
    super();
    this.me = me;
    this.people = new Map([[me.usercode, me]]);
    this.online = new Map();
    this.conversations = new Map(); // usercode -> { last, unread }
    this.threads = new Map(); // usercode or EVERYONE -> { messages: Map, next, loading, loaded, complete }
    this.blocked = new Set();
    this.unreadBroadcasts = 0;
    this.olderThan = null;
    this.pingEvery = 30;
    this.synced = 0; // everything up to this id is known where it is shown
  }

  changed(part, detail = {}) {
    this.dispatchEvent(new CustomEvent("changed", { detail: { part, ...detail } }));
  }

  // --- Loading ------------------------------------------------------------------------------------------------------

  async begin() {
    const [conversations, unread, blocks, newest, orphans] = await Promise.all([
      api("/api/v1/conversations/"),
      api("/api/v1/messages/unread/"),
      api("/api/v1/blocks/"),
      api("/api/v1/messages/?page_size=1"),
      api("/api/v1/messages/?from_deleted=true&page_size=1"),
    ]);
    this.blocked = new Set(blocks.data.map((each) => each.usercode));
    this.#learnConversations(conversations.data);
    for (const message of orphans.data.results) this.conversations.set(DELETED, { last: message, unread: 0 });
    this.#learnUnread(unread.data);
    this.synced = newest.data.results[0]?.id ?? 0;
    this.changed("conversations");
  }

  async olderConversations() {
    const { data } = await api(`/api/v1/conversations/?before=${this.olderThan}`);
    this.#learnConversations(data);
    this.changed("conversations");
  }

  #learnConversations({ results, next_before }) {
    for (const { person, last_message, unread } of results) {
      this.meet(person);
      const known = this.conversations.get(person.usercode);
      if (!known || known.last.id < last_message.id) this.conversations.set(person.usercode, { last: last_message, unread });
    }
    this.olderThan = next_before;
  }

  #learnUnread({ by_sender }) {
    for (const conversation of this.conversations.values()) conversation.unread = 0;
    this.unreadBroadcasts = 0;
    for (const { usercode, count, broadcasts } of by_sender) {
      const conversation = this.conversations.get(usercode ?? DELETED);
      if (conversation) conversation.unread = count;
      this.unreadBroadcasts += broadcasts;
    }
    this.changed("conversations");
  }

  async refreshUnread() {
    this.#learnUnread((await api("/api/v1/messages/unread/")).data);
  }

  // A person seen anywhere; a picture once known is kept until another is told.
  meet(person) {
    const known = this.people.get(person.usercode);
    this.people.set(person.usercode, { image: known?.image ?? null, ...person });
    return this.people.get(person.usercode);
  }

  async find(usercode) {
    return this.meet((await api(`/api/v1/people/${encodeURIComponent(usercode)}/`)).data);
  }

  thread(code) {
    if (!this.threads.has(code)) this.threads.set(code, { messages: new Map(), next: null, loading: null, loaded: false, complete: false });
    return this.threads.get(code);
  }

  // One page more of a thread, the newest first; several callers share one request.
  older(code) {
    const thread = this.thread(code);
    if (thread.complete) return Promise.resolve();
    thread.loading ??= this.#load(code, thread).finally(() => (thread.loading = null));
    return thread.loading;
  }

  async #load(code, thread) {
    const first = { [EVERYONE]: "broadcast=true", [DELETED]: "from_deleted=true" }[code] ?? `with=${code}`;
    const { data } = await api(thread.next ?? `/api/v1/messages/?${first}&page_size=${PAGE}`);
    for (const message of data.results) this.#keep(thread, message);
    // The link names the site as PUBLIC_URL does; this page may have come by another of its names.
    thread.next = data.next && new URL(data.next).pathname + new URL(data.next).search;
    thread.complete = !data.next;
    thread.loaded = true;
    this.changed("thread", { code, older: true });
  }

  // After a gap: everything since what was last known, or all anew.
  async catchUp() {
    let path = `/api/v1/messages/?after=${this.synced}&page_size=200`;
    for (let page = 0; path && page < CATCH_UP_PAGES; page++) {
      const { data } = await api(path);
      for (const message of data.results) {
        this.receive(message, { count: false });
        this.synced = Math.max(this.synced, message.id);
      }
      path = data.next && new URL(data.next).pathname + new URL(data.next).search;
    }
    if (path) {
      const open = [...this.threads.keys()];
      this.threads.clear();
      this.conversations.clear();
      await this.begin();
      for (const code of open) this.changed("thread", { code, gone: true });
    }
    await this.refreshUnread();
  }

  // --- What happens -------------------------------------------------------------------------------------------------

  // An event or a page that was late may bring what was taken back since.
  #asItStands(message) {
    if (!this.#takenBack.has(message.id)) return message;
    return { ...message, body: "", deleted_at: message.deleted_at ?? new Date().toISOString() };
  }

  #keep(thread, late) {
    let message = this.#asItStands(late);
    const known = thread.messages.get(message.id);
    // An event knows less than a page does: not when it was read, and by whom. Of a broadcast it comes once there is a row
    // to mark: what was read before is still to be marked.
    if (known && message.read_at === null && !message.broadcast) message = { ...message, read_at: known.read_at };
    if (known && !message.recipients.some((each) => "read_at" in each)) message = { ...message, recipients: known.recipients };
    thread.messages.set(message.id, message);
    if (message.sender) this.meet(message.sender);
    for (const each of message.recipients) this.meet({ usercode: each.usercode, username: each.username });
  }

  // A message from the stream, a page or an answer; `count` where it is news.
  receive(late, { count = true } = {}) {
    const message = this.#asItStands(late);
    const mine = message.sender?.usercode === this.me.usercode;
    const peers = mine ? message.recipients.map((each) => each.usercode) : [message.sender?.usercode ?? DELETED];
    let news = false;
    for (const code of message.broadcast ? [...peers, EVERYONE] : peers) {
      const thread = this.threads.get(code);
      // A thread that was never opened will bring it with its first page.
      if (thread) {
        news ||= !thread.messages.has(message.id);
        this.#keep(thread, message);
        this.changed("thread", { code, message });
      }
    }
    if (message.sender) this.meet(message.sender);
    const listed = mine && message.broadcast ? [] : peers;
    for (const code of listed) {
      if (mine) this.meet(message.recipients.find((each) => each.usercode === code));
      const conversation = this.conversations.get(code);
      const fresh = !conversation || conversation.last.id < message.id;
      if (fresh || conversation.last.id === message.id) {
        const { id, body, broadcast, created_at, deleted_at } = message;
        this.conversations.set(code, {
          last: { id, mine, body: body.slice(0, 200), broadcast, created_at, deleted_at },
          unread: (conversation?.unread ?? 0) + (count && fresh && this.#isNew(message, mine) ? 1 : 0),
        });
      }
    }
    if (count && message.broadcast && !mine && !this.#counted.has(message.id)) this.unreadBroadcasts += 1;
    this.#counted.add(message.id);
    this.changed("conversations");
    return news;
  }

  #counted = new Set();
  #takenBack = new Set();

  #isNew(message, mine) {
    const toMe = !mine || message.recipients.some((each) => each.usercode === this.me.usercode);
    return toMe && !message.read_at && !this.#counted.has(message.id);
  }

  deleted({ id }) {
    this.#takenBack.add(id);
    for (const [code, { messages }] of this.threads) {
      const message = messages.get(id);
      if (!message) continue;
      messages.set(id, this.#asItStands(message));
      this.changed("thread", { code });
    }
    for (const conversation of this.conversations.values()) {
      if (conversation.last.id === id) conversation.last = { ...conversation.last, body: "", deleted_at: "now" };
    }
    this.changed("conversations");
  }

  // Somebody has read what I wrote; or I have, in another window.
  wasRead({ reader, from, up_to }) {
    if (reader.usercode === this.me.usercode) {
      this.refreshUnread().catch(() => {}); // the next news brings the counts too
      return;
    }
    // What went to several stands in the thread of each of them.
    for (const [code, { messages }] of this.threads) {
      for (const message of messages.values()) {
        if (message.id < from || message.id > up_to || message.sender?.usercode !== this.me.usercode) continue;
        if (!message.recipients.some((each) => each.usercode === reader.usercode && !each.read_at)) continue;
        const recipients = message.recipients.map((each) =>
          each.usercode === reader.usercode ? { ...each, read_at: new Date().toISOString() } : each,
        );
        messages.set(message.id, { ...message, recipients });
        this.changed("thread", { code });
      }
    }
  }

  // --- Presence -----------------------------------------------------------------------------------------------------

  async beat() {
    const { data } = await api("/api/v1/presence/", { method: "POST" });
    this.pingEvery = data.ping_every;
    this.online = new Map(data.online.map((each) => [each.usercode, this.meet(each)]));
    this.changed("presence");
  }

  presence({ online, offline, refresh }) {
    if (refresh) {
      // Many at once: a moment's patience, so that not all ask in the same instant.
      setTimeout(() => this.beat().catch(() => {}), Math.random() * 5000);
      return;
    }
    for (const person of online) this.online.set(person.usercode, this.meet(person));
    for (const code of offline) this.online.delete(code);
    this.changed("presence");
  }

  get others() {
    return [...this.online.values()].filter((person) => person.usercode !== this.me.usercode);
  }

  // --- What I do ----------------------------------------------------------------------------------------------------

  async markRead(code) {
    const unread = [...this.thread(code).messages.values()].filter(
      (message) => !message.read_at && (message.sender?.usercode !== this.me.usercode || code === this.me.usercode),
    );
    if (!unread.length) return;
    const { messages } = this.thread(code);
    const mark = (read_at) => {
      for (const { id } of unread) messages.set(id, { ...messages.get(id), read_at });
    };
    mark(new Date().toISOString());
    const up_to = Math.max(...unread.map((message) => message.id));
    const which = { [EVERYONE]: { broadcast: true }, [DELETED]: { from_deleted: true } }[code] ?? { with: code };
    try {
      await api("/api/v1/messages/read/", { method: "POST", body: { up_to, ...which } });
    } catch (error) {
      mark(null);
      throw error;
    }
    await this.refreshUnread();
  }

  async remove(id) {
    await api(`/api/v1/messages/${id}/`, { method: "DELETE" });
    this.deleted({ id });
  }

  async block(code, blocked) {
    await api(`/api/v1/blocks/${code}/`, { method: blocked ? "POST" : "DELETE" });
    this.blocked[blocked ? "add" : "delete"](code);
    this.changed("thread", { code });
    this.changed("conversations");
  }
}
