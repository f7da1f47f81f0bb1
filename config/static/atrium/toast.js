// toast("Saved.", "ok"): a short notice in the corner, read out by screen readers. Kinds: ok, info, warn, danger.
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

export function toast(text, kind = "info", seconds = 6) {
  const box = document.createElement("div");
  box.className = `alert ${kind}`;
  const words = document.createElement("div");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button quiet small icon-only";
  close.setAttribute("aria-label", "Close this notice");
  close.append(icon("close"));
  close.addEventListener("click", () => box.remove());
  box.append(icon(kind), words, close);
  document.getElementById("toasts").append(box);
  if (seconds) setTimeout(() => box.remove(), seconds * 1000);
  return box;
}
