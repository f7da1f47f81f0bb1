// The right side: one conversation, its messages from the oldest loaded to the newest, and what is being sent.
import { $, avatar, clock, h, icon, reconcile } from "./dom.js";
import { DELETED, EVERYONE } from "./store.js";
import { toast } from "../atrium/toast.js";

const NEAR_END = 80; // pixels from the end within which the view keeps following it
const NEAR_START = 300; // pixels from the start within which older messages are fetched
const DELETABLE = 15 * 60 * 1000;
const TOGETHER = 5 * 60 * 1000; // messages of one person within so long stand together

export class ThreadView {
  constructor(store, outbox) {
    this.store = store;
    this.outbox = outbox;
    this.code = null;
    this.unseen = 0;
    this.box = $("log-box");
    this.box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    $("to-end").addEventListener("click", () => this.toEnd());
    $("block").addEventListener("click", () => this.#toggleBlock());
    new ResizeObserver(() => this.following && this.toEnd()).observe(this.box);
    this.following = true;
  }

  async open(code) {
    this.code = code;
    this.following = true;
    this.unseen = 0;
    $("log").replaceChildren();
    this.box.setAttribute("aria-live", "off"); // a history is not news
    $("thread").hidden = false;
    $("welcome").hidden = true;
    this.drawHead();
    this.draw();
    try {
      if (!this.store.thread(code).loaded) await this.store.older(code);
    } catch (error) {
      toast(error.message, "warn");
    }
    if (this.code !== code) return;
    this.draw();
    this.toEnd();
    this.box.setAttribute("aria-live", "polite");
    this.see();
  }

  close() {
    this.code = null;
    $("thread").hidden = true;
    $("welcome").hidden = false;
  }

  drawHead() {
    if (!this.code) return;
    const everyone = this.code === EVERYONE;
    $("composer").hidden = this.code === DELETED;
    if (this.code === DELETED) return this.#drawDeletedHead();
    const person = this.store.people.get(this.code);
    const self = this.code === this.store.me.usercode;
    const online = this.store.online.has(this.code);
    const count = this.store.others.length;
    $("thread-title").textContent = everyone ? "Everyone online" : self ? "Notes to yourself" : person.username;
    $("thread-avatar").replaceChildren(
      everyone ? h("span.avatar.everyone", { "aria-hidden": "true" }, icon("broadcast")) : avatar(person, "", online),
    );
    $("thread-about").textContent = everyone
      ? `Goes to everybody online when you send it: now ${count === 1 ? "one person" : `${count} people`}.`
      : `${online ? "Online" : "Offline; messages wait"} · ${this.code}`;
    const blocked = this.store.blocked.has(this.code);
    $("block").hidden = everyone || self;
    $("block-label").textContent = blocked ? "Unblock" : "Block";
    $("body-label").textContent = everyone ? "Your message to everyone online" : `Your message to ${person.username}`;
    $("body").placeholder = everyone ? "Write to everyone online" : blocked ? "You have blocked this person" : "Write a message";
  }

  #drawDeletedHead() {
    $("thread-title").textContent = "Deleted accounts";
    $("thread-avatar").replaceChildren(h("span.avatar", { "aria-hidden": "true" }, icon("user")));
    $("thread-about").textContent = "Read only: their accounts are gone.";
    $("block").hidden = true;
  }

  get waiting() {
    const concerns = this.code === EVERYONE ? (to) => to.length === 0 : (to) => to.includes(this.code);
    return this.outbox.waiting.filter((entry) => concerns(entry.to) && !entry.arrived);
  }

  draw() {
    if (!this.code) return;
    const thread = this.store.thread(this.code);
    const messages = [...thread.messages.values()].sort((a, b) => a.id - b.id);
    $("older").hidden = thread.complete || !messages.length;
    $("beginning").hidden = !thread.complete;
    $("beginning").textContent = messages.length || this.waiting.length ? "This is where it begins." : "Nothing was written here yet.";
    const items = [];
    let before = null;
    for (const message of messages) {
      if (clock.dayKey(message.created_at) !== before?.day) items.push({ day: message.created_at });
      const sender = message.sender?.usercode ?? "";
      const at = Date.parse(message.created_at);
      const together = before?.sender === sender && at - before.at < TOGETHER && before.day === clock.dayKey(message.created_at);
      items.push({ message, together });
      before = { day: clock.dayKey(message.created_at), sender, at };
    }
    for (const entry of this.waiting) items.push({ entry });
    const { scrollHeight, scrollTop } = this.box;
    reconcile($("log"), items, (item) => this.#describe(item));
    if (this.following) this.toEnd();
    else if (this.keepPlace) this.box.scrollTop = scrollTop + this.box.scrollHeight - scrollHeight;
    this.keepPlace = false;
  }

  #describe({ day, message, together, entry }) {
    if (day) return [`day ${clock.dayKey(day)}`, clock.day(day), () => h("li.day", {}, h("span", {}, clock.day(day)))];
    if (entry) return [`out ${entry.key}`, entry.failed, () => this.#unsent(entry)];
    return [
      `m ${message.id}`,
      JSON.stringify([message.body, message.deleted_at, together, this.#readBy(message)]),
      () => this.#message(message, together),
    ];
  }

  #readBy(message) {
    return message.recipients.filter((each) => each.read_at).length;
  }

  #message(message, together) {
    const mine = message.sender?.usercode === this.store.me.usercode;
    const who = mine ? "You" : message.sender?.username ?? "A deleted account";
    const classes = `li.message${mine ? ".mine" : ""}${together ? ".together" : ""}`;
    if (message.deleted_at) {
      return h(classes, {}, h("div.bubble.gone", {}, h("span.visually-hidden", {}, `${who}: `), "Message deleted", this.#stamp(message, false)));
    }
    const shown = (this.code === EVERYONE || this.code === DELETED) && !mine;
    return h(
      classes,
      { tabIndex: -1 }, // to put focus back on; the keyboard stops at its button alone
      h(
        "div.bubble",
        {},
        h(shown && !together ? "span.who" : "span.visually-hidden", {}, shown && !together ? who : `${who}: `),
        h("span.text", { dir: "auto" }, message.body),
        this.#stamp(message, mine),
      ),
      mine && Date.now() - Date.parse(message.created_at) < DELETABLE ? this.#deleteButton(message) : null,
    );
  }

  #stamp(message, mine) {
    const badge = this.#badge(message);
    const stamp = h("span.stamp", {}, badge, h("time", { dateTime: message.created_at, title: clock.full(message.created_at) }, clock.time(message.created_at)));
    if (mine && message.broadcast) {
      stamp.append(h("span", {}, message.recipient_count === 1 ? "to 1 person" : `to ${message.recipient_count} people`));
    } else if (mine && this.code !== this.store.me.usercode) {
      const read = this.#readBy(message);
      const all = read === message.recipient_count;
      const words = all ? "Read" : message.recipient_count > 1 && read ? `Read by ${read} of ${message.recipient_count}` : "Sent";
      stamp.append(h(`span.tick${all ? ".read" : ""}`, { title: words }, icon(read ? "check-twice" : "check"), h("span.visually-hidden", {}, words)));
    }
    return stamp;
  }

  // That others have the message too: everybody online, or the several it was written to.
  #badge({ broadcast, recipients, recipient_count }) {
    if (broadcast) return this.code === EVERYONE ? null : h("span.to-all", {}, icon("broadcast"), "to everyone");
    if (recipient_count < 2) return null;
    const names = recipients.map((each) => each.username).join(", ");
    return h("span.to-all", { title: names }, icon("users"), `to ${recipient_count} people`, h("span.visually-hidden", {}, `: ${names}`));
  }

  #deleteButton(message) {
    return h(
      "button.button.quiet.small.icon-only.delete",
      {
        type: "button",
        title: "Delete for everybody",
        "aria-label": "Delete this message for everybody",
        "data-focus": "delete",
        onclick: async () => {
          try {
            await this.store.remove(message.id);
          } catch (error) {
            toast(error.message, "warn");
          }
        },
      },
      icon("trash"),
    );
  }

  #unsent(entry) {
    return h(
      "li.message.mine.unsent",
      {},
      h(
        "div.bubble",
        {},
        h("span.visually-hidden", {}, "You: "),
        h("span.text", { dir: "auto" }, entry.body),
        h("span.stamp", {}, entry.failed ? null : icon("clock"), entry.failed ? "Not sent" : h("span.visually-hidden", {}, "Being sent")),
      ),
      entry.failed
        ? h(
            "div.trouble",
            { role: "alert" },
            h("span", {}, entry.failed),
            h("button.button.secondary.small", { type: "button", onclick: () => this.outbox.again(entry.key) }, "Send again"),
            h("button.button.quiet.small", { type: "button", onclick: () => this.outbox.drop(entry.key) }, "Discard"),
          )
        : null,
    );
  }

  // --- Scrolling ----------------------------------------------------------------------------------------------------

  #scrolled() {
    const fromEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight;
    this.following = fromEnd < NEAR_END;
    if (this.following) this.unseen = 0;
    this.#drawToEnd();
    if (this.following) this.see();
    if (this.box.scrollTop < NEAR_START) this.#older();
  }

  async #older() {
    const code = this.code;
    const thread = this.store.thread(code);
    if (thread.complete || thread.loading || !thread.loaded) return;
    this.box.setAttribute("aria-live", "off");
    try {
      await this.store.older(code);
    } catch (error) {
      toast(error.message, "warn");
    }
    setTimeout(() => this.box.setAttribute("aria-live", "polite"), 200);
  }

  #drawToEnd() {
    $("to-end").hidden = this.following;
    $("to-end-label").textContent = this.unseen ? `${this.unseen} new` : "To the newest";
  }

  toEnd() {
    this.following = true;
    this.unseen = 0;
    this.box.scrollTop = this.box.scrollHeight;
    this.#drawToEnd();
  }

  arrived(mine) {
    if (mine) this.following = true;
    else if (!this.following) this.unseen += 1;
    this.#drawToEnd();
  }

  // What is on the screen, in a window that somebody looks at, has been read.
  async see() {
    if (!this.code || !this.following || document.visibilityState !== "visible" || !document.hasFocus()) return;
    try {
      await this.store.markRead(this.code);
    } catch {
      // It stays unread, and is tried again with the next message or glance.
    }
  }

  async #toggleBlock() {
    const code = this.code;
    const name = this.store.people.get(code).username;
    const block = !this.store.blocked.has(code);
    try {
      await this.store.block(code, block);
      this.drawHead();
      toast(block ? `${name} can no longer reach you, and is not told.` : `${name} can reach you again.`, "ok");
    } catch (error) {
      toast(error.message, "warn");
    }
  }
}
