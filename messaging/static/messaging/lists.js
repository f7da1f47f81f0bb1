// Lists of buttons in the left pane: the arrow keys move through them, and they load more while they are scrolled.
import { toast } from "../atrium/toast.js";

const NEAR = 400; // pixels below the visible part

// Call `load` while `button`, which follows the list, is visible or near. After an error a click tries again.
export function loadWhileScrolling(button, load) {
  let busy = false;
  const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && run(), {
    root: button.closest(".scroll"),
    rootMargin: `${NEAR}px`,
  });
  async function run() {
    if (busy) return;
    busy = true;
    button.setAttribute("aria-busy", "true");
    try {
      await load();
      observer.unobserve(button); // so that it reports again if the button is still near
      observer.observe(button);
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, "warn");
    } finally {
      busy = false;
      button.removeAttribute("aria-busy");
    }
  }
  button.addEventListener("click", run);
  observer.observe(button);
}

// Move between the buttons in `container` with the arrow keys. `leave` is called above the first one.
export function moveWithArrows(container, leave) {
  container.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const buttons = [...container.querySelectorAll("li button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (!next && (step > 0 || !leave)) return;
    event.preventDefault();
    if (next) next.focus();
    else leave();
  });
}
