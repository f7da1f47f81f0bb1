// Small menus next to a button. They are popovers: Escape or a click elsewhere closes them, and focus returns to the button.
import { h, icon } from "../atrium/dom.js";
import { colorClass } from "./look.js";

const GAP = 4; // pixels between the button and its menu

// Show `content` next to `anchor`. Returns a function that closes the menu. Inside a modal dialog the menu is part of it.
export function popup(anchor, label, content, { onClose } = {}) {
  const box = h("div.popup", { role: "dialog", "aria-label": label, popover: "auto" }, content);
  (anchor.closest("dialog") ?? document.body).append(box);
  box.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") return;
    box.remove();
    onClose?.();
    if (document.activeElement === document.body && anchor.isConnected) anchor.focus();
  });
  box.addEventListener("keydown", (event) => event.key === "Escape" && event.stopPropagation());
  box.showPopover();
  place(box, anchor);
  new ResizeObserver(() => place(box, anchor)).observe(box);
  (box.querySelector("[autofocus]") ?? box.querySelector("button, input, select, a"))?.focus();
  return () => box.isConnected && box.hidePopover();
}

function place(box, anchor) {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const below = at.bottom + GAP + height <= innerHeight - GAP || at.top < height + 2 * GAP;
  const top = below ? at.bottom + GAP : at.top - GAP - height;
  box.style.left = `${Math.max(GAP, Math.min(at.left, innerWidth - width - GAP))}px`;
  box.style.top = `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`;
}

// A menu of actions: [{ label, symbol, run }].
export function actionMenu(anchor, label, actions) {
  const close = popup(
    anchor,
    label,
    h("div", {}, ...actions.map((each) => h("button", { type: "button", onclick: () => (close(), each.run()) }, icon(each.symbol), each.label))),
  );
}

export const COLOR_NAMES = document.getElementById("main").dataset.colors.split(" ");

// Choose a colour of a note.
export function colorMenu(anchor, current, choose) {
  const swatch = (name) =>
    h(
      `button.swatch.${colorClass(name)}`,
      { type: "button", title: titleOf(name), "aria-label": titleOf(name), "aria-pressed": String(name === current), onclick: () => (close(), choose(name)) },
      name === current && icon("check"),
    );
  const close = popup(anchor, "Colour", h("div.swatches", {}, ...COLOR_NAMES.map(swatch)));
}

export const titleOf = (name) => (name === "default" ? "No colour" : name[0].toUpperCase() + name.slice(1));
