// The left pane: who is online, and the conversations with their last messages.
import { $, avatar, clock, h, icon, reconcile } from "../atrium/dom.js";
import { loadWhileScrolling, moveWithArrows } from "./lists.js";
import { DELETED, EVERYONE } from "./store.js";

export class ListView {
  constructor(store, { open }) {
    this.store = store;
    this.open = open;
    this.current = null;
    for (const list of [$("online"), $("conversations")]) moveWithArrows(list);
    loadWhileScrolling($("older-conversations"), () => store.loadOlderConversations());
  }

  drawOnline() {
    const people = this.store.others.sort((a, b) => a.username.localeCompare(b.username));
    $("alone").hidden = people.length > 0;
    $("online").hidden = people.length === 0;
    $("online-title").textContent = people.length ? `Online now (${people.length})` : "Online now";
    reconcile($("online"), people, (person) => [
      person.usercode,
      `${person.username} ${person.image}`,
      () =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", onclick: () => this.open(person.usercode), "data-focus": "b" },
            avatar(person, "", true),
            h("span.name", {}, person.username),
          ),
        ),
    ]);
  }

  draw() {
    const rows = [...this.store.conversations].map(([code, last]) => ({
      code,
      last,
      unread: this.store.badge(code),
      person: this.store.people.get(code),
      online: this.store.online.has(code),
      deleted: Boolean(last.deleted_at || this.store.actions.get("delete", last.id)),
    }));
    rows.sort((a, b) => b.last.id - a.last.id);
    const everyone = { code: EVERYONE, unread: this.store.badge(EVERYONE) };
    reconcile($("conversations"), [everyone, ...rows], (row) => [
      row.code,
      JSON.stringify([row, row.code === this.current, row.code === EVERYONE && this.store.others.length]),
      () => this.#row(row),
    ]);
    $("older-conversations").hidden = this.store.olderThan === null;
    const unread = this.store.badges;
    document.title = unread ? `(${unread}) Messages · Atrium` : "Messages · Atrium";
  }

  // Focus the conversation that was open.
  focus() {
    const row = [...$("conversations").children].find(({ dataset }) => dataset.key === this.current);
    (row ?? $("conversations")).querySelector("button")?.focus();
  }

  #row(row) {
    const [picture, title, line, when] = row.code === EVERYONE ? this.#everyone() : this.#person(row);
    return h(
      "li",
      {},
      h(
        "button.conversation",
        {
          type: "button",
          onclick: () => this.open(row.code),
          "aria-current": row.code === this.current ? "true" : null,
          "data-focus": "b",
        },
        picture,
        h("span.what", {}, h("span.top", {}, h("span.name", {}, title), when), line),
        row.unread
          ? h("span.count", {}, String(row.unread), h("span.visually-hidden", {}, row.unread === 1 ? " unread message" : " unread messages"))
          : null,
      ),
    );
  }

  #everyone() {
    const count = this.store.others.length;
    const about = count === 0 ? "Nobody else is online" : count === 1 ? "1 person is online" : `${count} people are online`;
    return [h("span.avatar.everyone", { "aria-hidden": "true" }, icon("broadcast")), "Everyone online", h("span.line.muted", {}, about), null];
  }

  #person({ code, last, person, online, deleted }) {
    const text = deleted ? "Message deleted" : last.body.replace(/\s+/g, " ");
    const isDeleted = code === DELETED;
    return [
      isDeleted ? h("span.avatar", { "aria-hidden": "true" }, icon("user")) : avatar(person, "", online),
      isDeleted ? "Deleted accounts" : code === this.store.me.usercode ? "You" : person.username,
      h("span.line.muted", {}, last.mine && code !== this.store.me.usercode ? h("span", {}, "You: ") : null, text),
      h("time.muted.small", { dateTime: last.created_at }, clock.short(last.created_at)),
    ];
  }
}
