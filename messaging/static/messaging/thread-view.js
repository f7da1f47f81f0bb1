// The right pane: one thread, with its messages, oldest first, and the messages that are being sent.
import { $, avatar, clock, focusLater, h, icon, reconcile } from "../atrium/dom.js";
import { splitLinks } from "./links.js";
import { DELETABLE, DELETED, EVERYONE } from "./store.js";
import { toast } from "../atrium/toast.js";

const NEAR_END = 80; // pixels: within this distance from the end the view follows new messages
const NEAR_EDGE = 300; // pixels: within this distance from an edge more messages are loaded
const WINDOW = 240; // messages in the document at once; more would make every key press slow
const STEP = 80; // messages by which the window moves
const GROUPED = 5 * 60 * 1000; // consecutive messages of one person within this time are grouped
const RETRY = 5000;
const HIGHLIGHT = 3000; // milliseconds

export class ThreadView {
  #lastId = null; // the last message in the window; null while the window is at the end
  #firstUnread = null; // the divider is above this message
  #target = null; // the message to show as soon as it is loaded
  #markTimer = 0;
  #retryTimer = 0;
  #height = 0; // of the box, in pixels, when its size was handled last

  constructor(store, outbox, { edit }) {
    this.store = store;
    this.edit = edit;
    this.outbox = outbox;
    this.code = null;
    this.following = true;
    this.box = $("log-box");
    this.box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    $("to-end").addEventListener("click", () => this.jumpToEnd());
    $("to-unread").addEventListener("click", () => this.#jumpToUnread());
    $("load-retry").addEventListener("click", () => this.reload());
    $("block").addEventListener("click", () => this.#toggleBlock());
    $("block-undo").addEventListener("click", () => this.#undoBlock());
    $("block-undo").addEventListener("keydown", leaveOnEscape);
    new ResizeObserver(() => this.#resized()).observe(this.box);
  }

  // Show the conversation from its first unread message, or from the message `target`.
  open(code, target = null) {
    this.code = code;
    this.#target = target;
    this.following = true;
    this.#lastId = this.#firstUnread = null;
    $("log").replaceChildren();
    this.box.setAttribute("aria-live", "off"); // do not announce the history
    $("thread").hidden = false;
    $("welcome").hidden = true;
    this.drawHead();
    this.draw();
    this.#load();
  }

  close() {
    this.code = null;
    clearTimeout(this.#retryTimer);
    $("thread").hidden = true;
    $("welcome").hidden = false;
  }

  async #load() {
    const { code } = this;
    const target = this.#target;
    let found = false;
    try {
      found = target !== null && (await this.store.openAt(code, target));
      if (!found) await this.store.open(code);
    } catch {
      if (this.code === code) this.#showLoadError(true);
      return;
    }
    if (this.code !== code || this.#target !== target) return;
    this.#target = null;
    this.#showLoadError(false);
    this.#firstUnread = this.#messages.find((message) => this.store.isUnread(code, message))?.id ?? null;
    if (found) {
      this.#jumpTo(target);
    } else if (this.#firstUnread) {
      this.#jumpToUnread();
    } else {
      this.draw();
    }
    if (target !== null && !found) toast("This message is not in the conversation.", "warn");
    this.#scrolled();
    this.box.setAttribute("aria-live", "polite");
    this.markRead();
  }

  // Load what could not be loaded, such as while the page was offline.
  reload() {
    if (!this.code) return;
    if (!this.store.thread(this.code).loaded || this.#target !== null) this.#load();
    else this.#loadEdges();
  }

  #showLoadError(failed) {
    $("load-error").hidden = !failed;
    clearTimeout(this.#retryTimer);
    if (failed) this.#retryTimer = setTimeout(() => this.reload(), RETRY);
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
      ? `Reaches everybody who is online when you send it (now ${count === 1 ? "1 person" : `${count} people`}).`
      : `${online ? "Online" : "Offline. They will see it later."} · ${this.code}`;
    const blocked = this.#isBlocked();
    this.#drawBlocking(person, everyone || self);
    $("block-label").textContent = blocked ? "Unblock" : "Block";
    $("body-label").textContent = everyone ? "Your message to everyone online" : `Your message to ${person.username}`;
    $("body").placeholder = everyone ? "Write to everyone online" : blocked ? "You blocked this person" : "Write a message";
  }

  // While a block can be undone, the button for it is replaced by a notice with Undo. The focus follows.
  #drawBlocking(person, impossible) {
    const { state } = this.store.actions.get("block", this.code) ?? {};
    const undoable = state === "held" || state === "waiting";
    const focused = [$("block"), $("block-undo")].includes(document.activeElement);
    $("block").hidden = impossible || undoable;
    $("block-notice").hidden = !undoable;
    if (undoable) {
      const effect = `You get no messages from ${person.username}, who does not see you online and is not notified.`;
      $("block-text").textContent = state === "waiting" ? `${person.username} will be blocked when you are online again.` : `Blocked. ${effect}`;
    }
    if (focused) $(undoable ? "block-undo" : "block").focus();
  }

  #drawDeletedHead() {
    $("block-notice").hidden = true;
    $("thread-title").textContent = "Deleted accounts";
    $("thread-avatar").replaceChildren(h("span.avatar", { "aria-hidden": "true" }, icon("user")));
    $("thread-about").textContent = "These accounts were deleted. You cannot reply.";
    $("block").hidden = true;
  }

  // --- Messages -----------------------------------------------------------------------------------------------------

  get #messages() {
    return this.store.messages(this.code);
  }

  get unsent() {
    const concerns = this.code === EVERYONE ? (to) => to.length === 0 : (to) => to.includes(this.code);
    return this.outbox.entries.filter((entry) => concerns(entry.to) && !entry.arrived);
  }

  // The range of loaded messages that is in the document: [start, end).
  #window() {
    const messages = this.#messages;
    const last = this.#lastId === null ? -1 : messages.findLastIndex(({ id }) => id <= this.#lastId);
    const end = last < 0 ? messages.length : last + 1;
    return [Math.max(0, end - WINDOW), end];
  }

  #setWindowEnd(end) {
    const messages = this.#messages;
    this.#lastId = end >= messages.length ? null : messages[Math.max(end, Math.min(WINDOW, messages.length)) - 1].id;
  }

  // Move the window so that the message `id` is in it, with some messages before and after it.
  #moveWindowTo(id) {
    const index = this.#messages.findIndex((message) => message.id === id);
    const [start, end] = this.#window();
    if (index < start + STEP || index >= end) this.#setWindowEnd(index + WINDOW / 2);
  }

  draw() {
    if (!this.code) return;
    const thread = this.store.thread(this.code);
    const [start, end] = this.#window();
    const messages = this.#messages.slice(start, end);
    const atStart = thread.atStart && start === 0;
    const atEnd = thread.atEnd && this.#lastId === null;
    $("older").hidden = atStart || !messages.length;
    $("newer").hidden = atEnd;
    $("beginning").hidden = !atStart;
    $("beginning").textContent = messages.length || this.unsent.length ? "Beginning of the conversation" : "No messages yet.";
    const items = [];
    let before = null;
    for (const message of messages) {
      const day = clock.dayKey(message.created_at);
      if (day !== before?.day) items.push({ day: message.created_at });
      if (message.id === this.#firstUnread) items.push({ divider: true });
      const sender = message.sender?.usercode ?? "";
      const at = Date.parse(message.created_at);
      const grouped = before?.sender === sender && at - before.at < GROUPED && before.day === day;
      items.push({ message, grouped });
      before = { day, sender, at };
    }
    if (atEnd) for (const entry of this.unsent) items.push({ entry });
    const anchor = this.following ? null : this.#anchor();
    reconcile($("log"), items, (item) => this.#describe(item));
    if (this.following) this.#scrollToEnd();
    else this.#restore(anchor);
    this.drawJumps();
  }

  #describe({ day, divider, message, grouped, entry }) {
    if (day) return [`day ${clock.dayKey(day)}`, clock.day(day), () => h("li.day", {}, h("span", {}, clock.day(day)))];
    if (divider) return ["unread", "", () => h("li.day.unread", {}, h("span", {}, "New messages"))];
    if (entry) return [`out ${entry.key}`, entry.failed, () => this.#unsent(entry)];
    return [
      `m ${message.id}`,
      `${message.deleted_at ? "deleted" : this.store.actions.get("delete", message.id)?.state} ${grouped} ${this.#readBy(message)} ${message.recipient_count} ${message.edited_at} ${message.body}`,
      () => this.#message(message, grouped),
    ];
  }

  #readBy(message) {
    return message.recipients.filter((each) => each.read_at).length;
  }

  #message(message, grouped) {
    const mine = message.sender?.usercode === this.store.me.usercode;
    const who = mine ? "You" : message.sender?.username ?? "A deleted account";
    const classes = `li.message${mine ? ".mine" : ""}${grouped ? ".grouped" : ""}`;
    const focusable = { tabIndex: -1 }; // can receive focus by script; Tab stops only at links and buttons
    const { state } = this.store.actions.get("delete", message.id) ?? {};
    if (message.deleted_at || state) {
      const undoable = !message.deleted_at && state !== "sending";
      const words = undoable && state === "waiting" ? "Will be deleted when you are online again" : "Message deleted";
      return h(
        classes,
        focusable,
        h("div.bubble.deleted", {}, h("span.visually-hidden", {}, `${who}: `), words, this.#stamp(message, false)),
        undoable ? this.#undoButton(message) : null,
      );
    }
    const shown = (this.code === EVERYONE || this.code === DELETED) && !mine;
    return h(
      classes,
      focusable,
      h(
        "div.bubble",
        {},
        h(shown && !grouped ? "span.who" : "span.visually-hidden", {}, shown && !grouped ? who : `${who}: `),
        text(message.body),
        this.#stamp(message, mine),
      ),
      ...(mine && isRecent(message) ? [this.#editButton(message), this.#deleteButton(message)] : []),
    );
  }

  #stamp(message, mine) {
    const badge = this.#badge(message);
    const edited = message.edited_at && !message.deleted_at ? h("span", { title: `Edited ${clock.full(message.edited_at)}` }, "edited") : null;
    const stamp = h("span.stamp", {}, badge, edited, h("time", { dateTime: message.created_at, title: clock.full(message.created_at) }, clock.time(message.created_at)));
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

  // Shows that other people have the message too.
  #badge({ broadcast, recipients, recipient_count }) {
    if (broadcast) return this.code === EVERYONE ? null : h("span.to-all", {}, icon("broadcast"), "to everyone");
    if (recipient_count < 2) return null;
    const names = recipients.map((each) => each.username).join(", ");
    return h("span.to-all", { title: names }, icon("users"), `to ${recipient_count} people`, h("span.visually-hidden", {}, `: ${names}`));
  }

  #editButton(message) {
    return h(
      "button.button.quiet.small.icon-only.delete",
      { type: "button", title: "Edit", "aria-label": "Edit this message", "data-focus": "edit", onclick: () => this.edit(message) },
      icon("edit"),
    );
  }

  // My last message that can still be edited.
  get lastEditable() {
    return this.#messages.findLast((message) => message.sender?.usercode === this.store.me.usercode && isRecent(message) && !message.deleted_at && !this.store.actions.get("delete", message.id));
  }

  #deleteButton(message) {
    return h(
      "button.button.quiet.small.icon-only.delete",
      {
        type: "button",
        title: "Delete for everyone",
        "aria-label": "Delete this message for everyone",
        "data-focus": "delete",
        onclick: () => this.#delete(message),
      },
      icon("trash"),
    );
  }

  #undoButton({ id }) {
    return h(
      "button.button.secondary.small.undo",
      { type: "button", "aria-label": "Undo deleting this message", "data-focus": "delete", onclick: () => this.#undoDelete(id), onkeydown: leaveOnEscape },
      "Undo",
    );
  }

  #delete(message) {
    this.store.deleteMessage(message);
    announce("Message deleted. You can undo it for 7 seconds.");
  }

  #undoDelete(id) {
    this.store.actions.undo("delete", id);
    announce("The message is not deleted.");
  }

  #unsent(entry) {
    return h(
      "li.message.mine.unsent",
      { tabIndex: -1 },
      h(
        "div.bubble",
        {},
        h("span.visually-hidden", {}, "You: "),
        text(entry.body),
        h("span.stamp", {}, entry.failed ? null : icon("clock"), entry.failed ? "Not sent" : h("span.visually-hidden", {}, "Sending")),
      ),
      entry.failed
        ? h(
            "div.trouble",
            { role: "alert" },
            h("span", {}, entry.failed),
            h("button.button.secondary.small", { type: "button", onclick: () => this.#leaveEntry(() => this.outbox.retry(entry.key)) }, "Retry"),
            h("button.button.quiet.small", { type: "button", onclick: () => this.#leaveEntry(() => this.outbox.discard(entry.key)) }, "Discard"),
          )
        : null,
    );
  }

  // Do something that removes the focused button, and move the focus to the text field first.
  #leaveEntry(action) {
    $("body").focus();
    action();
  }

  // --- Scrolling ----------------------------------------------------------------------------------------------------

  // The first visible message and its position, to keep it in place while others are added or removed.
  #anchor() {
    const children = $("log").children;
    let low = 0;
    let high = children.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (children[middle].offsetTop + children[middle].offsetHeight <= this.box.scrollTop) low = middle + 1;
      else high = middle;
    }
    const elements = [...children].slice(low, low + 5).filter((each) => each.dataset.key.startsWith("m "));
    return elements.map((each) => [each.dataset.key, each.offsetTop - this.box.scrollTop]);
  }

  #restore(anchor) {
    for (const [key, position] of anchor) {
      const element = this.#element(key);
      if (!element) continue;
      this.box.scrollTop = element.offsetTop - position;
      return;
    }
  }

  #element(key) {
    return [...$("log").children].find((child) => child.dataset.key === key);
  }

  #resized() {
    this.#height = this.box.clientHeight;
    if (this.following) this.#scrollToEnd();
  }

  #scrolled() {
    if (!this.code) return;
    const fromEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight;
    // When the box has just become smaller, its end is out of view although nobody has scrolled: #resized() follows.
    if (this.box.clientHeight === this.#height) this.following = fromEnd < NEAR_END && this.#lastId === null && this.store.thread(this.code).atEnd;
    this.drawJumps();
    this.#loadEdges();
    clearTimeout(this.#markTimer);
    this.#markTimer = setTimeout(() => this.markRead(), 100);
  }

  // Near an edge move the window; where it has reached the edge of the thread, load more.
  async #loadEdges() {
    const { code } = this;
    const thread = code && this.store.thread(code);
    if (!thread?.loaded) return;
    const [start, end] = this.#window();
    const nearStart = this.box.scrollTop < NEAR_EDGE;
    const nearEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_EDGE;
    if (nearStart && start > 0) {
      this.#setWindowEnd(end - STEP);
      return this.draw();
    }
    if (nearEnd && this.#lastId !== null) {
      this.#setWindowEnd(end + STEP);
      return this.draw();
    }
    const load = nearStart && !thread.atStart ? "loadOlder" : nearEnd && !thread.atEnd ? "loadNewer" : null;
    if (!load) return;
    this.box.setAttribute("aria-live", "off");
    try {
      await this.store[load](code);
    } catch {
      if (this.code === code) this.#showLoadError(true);
      return;
    }
    if (this.code !== code) return;
    this.#showLoadError(false);
    requestAnimationFrame(() => this.#loadEdges()); // the window may have to move to show the new messages
    setTimeout(() => this.box.setAttribute("aria-live", "polite"), 200);
  }

  drawJumps() {
    if (!this.code) return;
    const unread = this.store.unread.get(this.code)?.count ?? 0;
    $("to-end").hidden = this.following;
    $("to-end-label").textContent = unread ? `${unread} new` : "Jump to latest";
    const divider = this.#element("unread");
    const first = this.#messages[this.#window()[0]]?.id ?? 0;
    $("to-unread").hidden = divider ? divider.offsetTop >= this.box.scrollTop : !this.#firstUnread || this.#firstUnread > first;
  }

  // Show the end, follow new messages and mark all as read.
  async jumpToEnd() {
    const { code } = this;
    try {
      await this.store.openEnd(code);
    } catch (error) {
      return toast(error.message, "warn");
    }
    if (this.code !== code) return;
    this.#toEnd();
    this.markRead();
  }

  #toEnd() {
    this.following = true;
    this.#lastId = null;
    this.draw();
  }

  #scrollToEnd() {
    this.box.scrollTop = this.box.scrollHeight;
  }

  // Scroll the divider to the upper part of the view, with a little of what comes before it.
  #jumpToUnread() {
    this.following = false;
    this.#moveWindowTo(this.#firstUnread);
    this.draw();
    const divider = this.#element("unread");
    if (divider) this.box.scrollTop = divider.offsetTop - this.box.clientHeight / 5;
  }

  // Scroll a message to the middle of the view, focus it and highlight it for a moment.
  #jumpTo(id) {
    this.following = false;
    this.#moveWindowTo(id);
    this.draw();
    const element = this.#element(`m ${id}`);
    this.box.scrollTop = element.offsetTop - (this.box.clientHeight - element.offsetHeight) / 2;
    focusLater($("thread-title"))(element); // the title got the focus while the message was loaded
    element.classList.add("target");
    setTimeout(() => element.classList.remove("target"), HIGHLIGHT);
  }

  // A message of somebody else arrived in this thread. If nobody sees it, the divider marks the first such message.
  arrived({ id }) {
    const seen = this.following && document.visibilityState === "visible" && document.hasFocus();
    const isFirst = !this.#messages.some((each) => each.id < id && this.store.isUnread(this.code, each));
    if (!seen && isFirst) this.#firstUnread = id;
    requestAnimationFrame(() => this.markRead());
  }

  // Mark the messages down to the last visible one as read if the window has focus.
  async markRead() {
    const shown = this.code && this.box.clientHeight > 0;
    if (!shown || document.visibilityState !== "visible" || !document.hasFocus()) return;
    const upTo = this.#lastVisibleId();
    if (!upTo) return;
    try {
      await this.store.markRead(this.code, upTo);
    } catch {
      // They stay unread; the next message, scrolling or focus tries again.
    }
    this.drawJumps();
  }

  #lastVisibleId() {
    const bottom = this.box.scrollTop + this.box.clientHeight;
    const children = $("log").children;
    for (let index = children.length - 1; index >= 0; index--) {
      const { key } = children[index].dataset;
      if (key.startsWith("m ") && children[index].offsetTop + Math.min(children[index].offsetHeight, 40) <= bottom) return Number(key.slice(2));
    }
    return 0;
  }

  #isBlocked() {
    return this.store.blocked.has(this.code) || Boolean(this.store.actions.get("block", this.code));
  }

  async #toggleBlock() {
    const { code } = this;
    const { username } = this.store.people.get(code);
    if (!this.#isBlocked()) {
      this.store.block(code);
      announce(`You blocked ${username}. You can undo it for 7 seconds.`);
      return;
    }
    try {
      await this.store.unblock(code);
      toast(`You unblocked ${username}.`, "ok");
    } catch (error) {
      toast(error.message, "warn");
    }
  }

  #undoBlock() {
    const { username } = this.store.people.get(this.code);
    this.store.actions.undo("block", this.code);
    announce(`You did not block ${username}.`);
  }
}

// Whether I can still edit or delete my message.
function isRecent({ created_at }) {
  return Date.now() - Date.parse(created_at) < DELETABLE;
}

// Screen readers read this text aloud.
export function announce(words) {
  $("announcer").textContent = words;
}

// Esc leaves an Undo button instead of the conversation.
function leaveOnEscape(event) {
  if (event.key !== "Escape") return;
  event.preventDefault();
  $("body").focus();
}

// The text of a message, with links.
function text(body) {
  const parts = splitLinks(body).map((part) =>
    typeof part === "string" ? part : h("a", { href: part.href, target: "_blank", rel: "noopener noreferrer nofollow ugc", title: part.href }, part.text),
  );
  return h("span.text", { dir: "auto" }, ...parts);
}
