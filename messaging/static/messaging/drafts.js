// Texts that were not sent, one for each conversation. sessionStorage keeps them through a reload, a sign-in and a restored
// tab, and forgets them when the tab is closed.
export class Drafts {
  #name;
  #texts;

  constructor(usercode) {
    this.#name = `atrium.drafts.${usercode}`;
    try {
      this.#texts = new Map(JSON.parse(sessionStorage.getItem(this.#name) ?? "[]"));
    } catch {
      this.#texts = new Map(); // sessionStorage is not available, or contains something else
    }
  }

  get(code) {
    return this.#texts.get(code) ?? "";
  }

  set(code, text) {
    if (text) this.#texts.set(code, text);
    else this.#texts.delete(code);
    try {
      if (this.#texts.size) sessionStorage.setItem(this.#name, JSON.stringify([...this.#texts]));
      else sessionStorage.removeItem(this.#name);
    } catch {
      // Without sessionStorage drafts are lost with the page.
    }
  }
}
