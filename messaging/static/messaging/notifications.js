// Desktop notifications of new messages. They are off until the user switches them on in this browser, and are shown only
// while no tab with the chat is visible. The browser is asked for permission only by that click.
import { $ } from "../atrium/dom.js";
import { live } from "../atrium/live.js";
import { toast } from "../atrium/toast.js";

const WAIT = 500; // milliseconds in which a visible tab can say that it shows the message
const LENGTH = 120;

export class Notifications {
  #name;
  #waiting = new Map(); // a message's id -> the timer of its notification
  #shown = new Map(); // a message's id -> its notification

  constructor(usercode, { open }) {
    this.#name = `atrium.notify.${usercode}`;
    this.open = open;
    this.button = $("notify");
    // Phones show notifications only through a service worker, and no browser does without HTTPS.
    this.button.hidden = !("Notification" in window) || !isSecureContext || matchMedia("(hover: none)").matches;
    this.button.addEventListener("click", () => this.#toggle());
    addEventListener("storage", ({ key }) => key === this.#name && this.#draw());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#close(() => true));
    live.addEventListener("seen", ({ detail }) => this.remove(detail));
    this.#draw();
  }

  get isOn() {
    try {
      return !this.button.hidden && Notification.permission === "granted" && localStorage.getItem(this.#name) === "on";
    } catch {
      return false; // without localStorage the choice cannot be stored
    }
  }

  async #toggle() {
    const isOn = this.isOn;
    if (!isOn && (await Notification.requestPermission()) !== "granted") {
      toast("Your browser blocks notifications of this site. Allow them in its settings for this site, then try again.", "warn");
      return;
    }
    try {
      if (isOn) localStorage.removeItem(this.#name);
      else localStorage.setItem(this.#name, "on");
    } catch {
      toast("Your browser does not store settings of this site.", "warn");
    }
    this.#draw();
    if (this.isOn) toast("You are notified of new messages while the chat is open in a tab that you do not see.", "ok");
  }

  #draw() {
    const { isOn } = this;
    this.button.setAttribute("aria-pressed", String(isOn));
    this.button.title = isOn ? "Desktop notifications are on" : "Desktop notifications are off";
  }

  // A message of somebody else arrived in the conversation `code`.
  arrived(message, code) {
    if (document.visibilityState === "visible") return live.share("seen", { id: message.id });
    if (this.isOn) this.#waiting.set(message.id, setTimeout(() => this.#show(message, code), WAIT));
  }

  // Messages up to an id were read in another window or on another device.
  read({ from, up_to }) {
    this.#close((id) => id >= from && id <= up_to);
  }

  // A message was deleted, or is shown by a visible tab.
  remove({ id }) {
    this.#close((each) => each === id);
  }

  #show({ id, sender, body, broadcast }, code) {
    this.#waiting.delete(id);
    if (document.visibilityState === "visible") return;
    const name = sender?.username ?? "A deleted account";
    const text = body.length > LENGTH ? `${[...body].slice(0, LENGTH).join("")}…` : body;
    try {
      // Of several tabs with one tag the browser shows one notification.
      const notification = new Notification(broadcast ? `${name} to everyone` : name, { body: text, tag: `atrium-message-${id}` });
      notification.addEventListener("click", () => {
        window.focus();
        this.open(code);
        notification.close();
      });
      this.#shown.set(id, notification);
    } catch {
      // A browser that has the interface, but shows notifications only through a service worker.
    }
  }

  // Remove the notifications of these messages, also those that are not shown yet.
  #close(concerns) {
    for (const [id, timer] of this.#waiting) {
      if (!concerns(id)) continue;
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
    for (const [id, notification] of this.#shown) {
      if (!concerns(id)) continue;
      notification.close();
      this.#shown.delete(id);
    }
  }
}
