// The choice of theme in the account menu. theme.js applies it on the next page before the first paint.
const root = document.documentElement;

// `theme` is "system", "light" or "dark". Scripts that draw with colours listen to "atrium:theme" on the document.
export function chooseTheme(theme) {
  try {
    localStorage.setItem("atrium.theme", theme);
  } catch {
    // The choice lasts until the page is left.
  }
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  document.dispatchEvent(new Event("atrium:theme"));
}

function markTheme() {
  const theme = root.dataset.theme ?? "system";
  for (const input of document.querySelectorAll(".themes input")) input.checked = input.value === theme;
}

document.addEventListener("change", ({ target }) => target.closest(".themes") && chooseTheme(target.value));
document.addEventListener("atrium:theme", markTheme);
markTheme();
