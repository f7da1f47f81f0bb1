// Redoc shows its maker's logo from another host; nothing here asks another host for anything.
const { prototype } = HTMLImageElement;
const set = prototype.setAttribute;
const { get } = Object.getOwnPropertyDescriptor(prototype, "src");
const elsewhere = (url) => /^(https?:)?\/\//.test(url) && new URL(url, location.href).origin !== location.origin;

prototype.setAttribute = function (name, value) {
  if (name !== "src" || !elsewhere(value)) set.call(this, name, value);
};
Object.defineProperty(prototype, "src", {
  get,
  set(value) {
    this.setAttribute("src", value);
  },
});
