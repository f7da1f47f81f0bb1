// Use this site's theme in Swagger UI and Redoc, and block images from other hosts (Redoc loads its logo from one).
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
const dark = isDark();
const follow = () => {
  if (isDark() !== dark && document.querySelector("redoc, .redoc-wrap")) location.reload(); // it reads its theme once
  root.classList.toggle("dark-mode", isDark());
};
follow();
system.addEventListener("change", follow);
document.addEventListener("atrium:theme", follow);

const text = dark ? "#e7eeeb" : "#16211e";
const theme = {
  colors: {
    primary: { main: dark ? "#5cc7b0" : "#0b6a5b" },
    success: { main: dark ? "#7fce93" : "#23693a" },
    error: { main: dark ? "#f09c8d" : "#a32e20" },
    text: { primary: text, secondary: dark ? "#b4c4be" : "#44524d" },
    responses: dark ? { redirect: { color: "#b4c4be", backgroundColor: "#172120" } } : {},
    border: { dark: dark ? "#2a3835" : "#d5ddd9", light: dark ? "#2a3835" : "#e9eeeb" },
    http: {
      get: "#1f6fb5", post: "#1a7f4f", put: "#8a5200", patch: "#7a4fa3", delete: "#b3261e",
      options: "#44524d", head: "#7a4fa3", basic: "#44524d", link: "#0b6a5b",
    },
  },
  schema: { nestedBackground: dark ? "#0b100f" : "#f3f6f4", typeNameColor: text, typeTitleColor: text },
  typography: { code: dark ? { color: "#f0b3a8", backgroundColor: "#1e2a28" } : {} },
  sidebar: { backgroundColor: dark ? "#172120" : "#f3f6f4", textColor: text },
  rightPanel: { backgroundColor: "#16211e", textColor: "#ffffff" },
  codeBlock: { backgroundColor: "#0b100f" },
};
document.querySelector("redoc")?.setAttribute("theme", JSON.stringify(theme));

const { prototype } = HTMLImageElement;
const set = prototype.setAttribute;
const { get } = Object.getOwnPropertyDescriptor(prototype, "src");
const isExternal = (url) => /^(https?:)?\/\//.test(url) && new URL(url, location.href).origin !== location.origin;

prototype.setAttribute = function (name, value) {
  if (name !== "src" || !isExternal(value)) set.call(this, name, value);
};
Object.defineProperty(prototype, "src", {
  get,
  set(value) {
    this.setAttribute("src", value);
  },
});
