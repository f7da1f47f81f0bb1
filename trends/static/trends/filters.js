// The filter bar: a menu of check boxes for each column. It shows the numbers of the charts.
import { $, h } from "../atrium/dom.js";
import { Loader, atrium } from "../atrium/site.js";
import { ALL, MACROTREND, includes } from "./facets.js";

const SEARCH_FROM = 9; // choices: longer lists can be searched
const PAUSE = 200; // milliseconds after a key until macrotrends are searched
const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

// `choices(facet)` returns [{ value, label, count }]. `isPartial()`: not all macrotrends are among the choices.
export function prepareFilters({ choices, isPartial, toggle, clear }) {
  const menus = ALL.map((facet) => menu(facet, { choices, isPartial, toggle, clear }));
  // Show the selection of `state` on the buttons and in an open menu.
  return (state) => {
    for (const show of menus) show(state);
  };
}

function menu(facet, { choices, isPartial, toggle, clear }) {
  const button = $(`filter-${facet.name}-button`);
  const box = $(`filter-${facet.name}`);
  const count = button.querySelector(".count");
  const list = h("ul.choices");
  const empty = h("p.muted.small", { role: "status" });
  const search = h("input", { type: "search", "aria-label": `Find in ${facet.title}`, placeholder: "Find", autocomplete: "off", autofocus: matchMedia("(hover: hover)").matches });
  const reset = h("button.button.quiet.small", { type: "button", onclick: () => clear(facet.name) }, "Clear");
  box.append(h("div.search-choices", {}, search), list, empty, h("div.row.end", {}, reset, h("button.button.secondary.small", { type: "button", onclick: () => box.hidePopover() }, "Close")));
  let selected = [];
  let found = []; // macrotrends of a search
  let timer;
  const loader = new Loader(
    () => atrium.get("/trends/radar/", { query: { search: search.value.trim() } }),
    ({ groups }) => {
      found = groups.map((group) => group.macrotrend);
      fill();
    },
  );

  function fill() {
    const words = fold(search.value.trim()).split(/\s+/);
    const known = choices(facet);
    const others = [...found, ...selected].filter((value) => !known.some((each) => includes([each.value], value)));
    const all = [...known, ...[...new Set(others)].map((value) => ({ value, label: facet.label(value) }))];
    const shown = all.filter((each) => words.every((word) => fold(each.label).includes(word)));
    search.parentElement.hidden = all.length < SEARCH_FROM && !isPartial(facet);
    list.replaceChildren(...shown.map(choice));
    empty.textContent = shown.length ? "" : all.length ? "Nothing found." : "No trends.";
  }

  function choice({ value, label, count: number }) {
    const input = h("input", { type: "checkbox", value, checked: includes(selected, value), onchange: () => toggle(facet.name, value) });
    return h("li", {}, h("label.item", {}, input, h("span", {}, label), h("span.muted.num", {}, number?.toLocaleString("en") ?? "")));
  }

  // The order stays while the menu is open.
  function update() {
    reset.disabled = !selected.length;
    const numbers = new Map(choices(facet).map((each) => [each.value, each.count]));
    for (const input of list.querySelectorAll("input")) {
      input.checked = includes(selected, input.value);
      input.closest("label").lastChild.textContent = numbers.get(input.value)?.toLocaleString("en") ?? "";
    }
  }

  search.addEventListener("input", () => {
    fill();
    clearTimeout(timer);
    if (facet !== MACROTREND || !isPartial(facet) || search.value.trim().length < 3) return;
    timer = setTimeout(() => loader.run().catch(() => {}), PAUSE);
  });
  box.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") return;
    search.value = "";
    fill();
    update();
  });
  box.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") place(box, button);
  });
  return (state) => {
    selected = state[facet.name];
    count.textContent = selected.length || "";
    count.classList.toggle("none", !selected.length);
    button.setAttribute("aria-label", selected.length ? `${facet.title}, ${selected.length} selected` : facet.title);
    if (!box.matches(":popover-open")) return;
    if (list.childElementCount) update();
    else fill();
  };
}

// On a phone the style sheet puts the menu at the bottom of the window.
function place(box, button) {
  const at = button.getBoundingClientRect();
  box.style.setProperty("--left", `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`);
  box.style.setProperty("--top", `${Math.max(8, Math.min(at.bottom + 4, innerHeight - box.offsetHeight - 8))}px`);
}
