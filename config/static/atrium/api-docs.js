// Follow the system's colours in Swagger UI and Redoc, and block images from other hosts (Redoc loads its logo from one).
const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const followSystem = () => root.classList.toggle("dark-mode", dark.matches);
followSystem();
dark.addEventListener("change", followSystem);

const text = dark.matches ? "#e7eeeb" : "#16211e";
const theme = {
  colors: {
    primary: { main: dark.matches ? "#5cc7b0" : "#0b6a5b" },
    success: { main: dark.matches ? "#7fce93" : "#23693a" },
    error: { main: dark.matches ? "#f09c8d" : "#a32e20" },
    text: { primary: text, secondary: dark.matches ? "#b4c4be" : "#44524d" },
    responses: dark.matches ? { redirect: { color: "#b4c4be", backgroundColor: "#172120" } } : {},
    border: { dark: dark.matches ? "#2a3835" : "#d5ddd9", light: dark.matches ? "#2a3835" : "#e9eeeb" },
    http: {
      get: "#1f6fb5", post: "#1a7f4f", put: "#8a5200", patch: "#7a4fa3", delete: "#b3261e",
      options: "#44524d", head: "#7a4fa3", basic: "#44524d", link: "#0b6a5b",
    },
  },
  schema: { nestedBackground: dark.matches ? "#0b100f" : "#f3f6f4", typeNameColor: text, typeTitleColor: text },
  typography: { code: dark.matches ? { color: "#f0b3a8", backgroundColor: "#1e2a28" } : {} },
  sidebar: { backgroundColor: dark.matches ? "#172120" : "#f3f6f4", textColor: text },
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
