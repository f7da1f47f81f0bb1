// toast("Saved.", "ok"): show a short notice in the corner; screen readers announce it. Kinds: ok, info, warn, danger.
// toast("Archived.", "info", 7, { label: "Undo", run }) adds a button. 0 seconds: until it is closed.
const sprite = new URL("icons.svg", import.meta.url);

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite.pathname}#${name}`);
  svg.append(use);
  return svg;
}

export function toast(text, kind = "info", seconds = 6, action = null) {
  const box = document.createElement("div");
  box.className = `alert ${kind}`;
  const words = document.createElement("div");
  words.textContent = text;
  box.append(icon(kind), words);
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button secondary small";
    button.textContent = action.label;
    button.addEventListener("click", () => {
      box.remove();
      action.run();
    });
    box.append(button);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button quiet small icon-only";
  close.setAttribute("aria-label", "Close notice");
  close.append(icon("close"));
  close.addEventListener("click", () => box.remove());
  box.append(close);
  container().append(box);
  if (seconds) setTimeout(() => box.remove(), seconds * 1000);
  return box;
}

// While a modal dialog is open, only what is inside it can be used. Its notices stay when it is closed.
function container() {
  const page = document.getElementById("toasts");
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1);
  if (!dialog) return page;
  let box = dialog.querySelector(":scope > .toasts");
  if (!box) {
    box = document.createElement("div");
    box.className = "toasts";
    box.setAttribute("role", "status");
    dialog.append(box);
    dialog.addEventListener("close", () => {
      page.append(...box.children);
      box.remove();
    }, { once: true });
  }
  return box;
}
