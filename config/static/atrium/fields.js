// Forms: show or hide a password, rate a new one, prevent a second submit, and keep typed passwords after an error.
//
// The server never writes a password into a page. So a form with a password is sent by fetch() with "Form-Fetch": if the
// answer contains the form again, with its errors, it replaces the form here and gets the passwords that were typed, and
// what was typed since. The focus stays in a field to which the person has gone meanwhile.

// The default time zone of an account, which the server stores at the first sign-in.
document.cookie = `time_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=3600; samesite=lax`;

function prepare(root) {
  for (const button of root.querySelectorAll("[data-reveal]")) addReveal(button);
  for (const input of root.querySelectorAll("input[autocomplete=new-password]")) {
    import("./password-strength.js").then(({ rate }) => rate(input));
  }
  for (const form of root instanceof HTMLFormElement ? [root] : root.querySelectorAll("form[method=post]")) {
    const hasPassword = passwordsOf(form).length > 0;
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = "yes";
      event.submitter?.setAttribute("aria-busy", "true");
      if (!hasPassword) return;
      event.preventDefault();
      send(form);
    });
  }
}

function addReveal(button) {
  const input = document.getElementById(button.dataset.reveal);
  button.hidden = false;
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-label", "Show the password");
  button.addEventListener("click", () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.textContent = shown ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(!shown));
  });
}

const passwordsOf = (form) => [...form.querySelectorAll("input[autocomplete$=-password]")];

async function send(form) {
  const sent = { values: new FormData(form), field: document.activeElement };
  let response, text;
  try {
    response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "Form-Fetch": "1" } });
    text = await response.text();
  } catch {
    return report(form, "Cannot reach the server. Check your connection and try again.");
  }
  const target = response.headers.get("Form-Redirect");
  if (target) return location.assign(target);
  const page = new DOMParser().parseFromString(text, "text/html");
  const again = [...page.forms].find((each) => each.getAttribute("action") === form.getAttribute("action") && passwordsOf(each).length);
  if (!response.ok && again) replaceForm(form, document.importNode(again, true), sent);
  else if (page.querySelector("main")) replacePage(page);
  else report(form, `The server answered with status ${response.status}. Try again later.`);
}

function replaceForm(form, fresh, sent) {
  const passwords = passwordsOf(form);
  for (const field of form.querySelectorAll("input[name]:not([type=hidden], [type=checkbox], [type=radio], [type=file])")) {
    const [{ name, value }, again] = [field, fresh.elements.namedItem(field.name)];
    if (again && (passwords.includes(field) || value !== sent.values.get(name))) again.value = value;
  }
  const { activeElement } = document;
  const isTyping = activeElement !== sent.field && activeElement.matches("input") && form.contains(activeElement);
  const field = isTyping ? fresh.elements.namedItem(activeElement.name) : fresh.querySelector("[aria-invalid=true]");
  form.replaceWith(fresh);
  prepare(fresh);
  (field ?? passwordsOf(fresh)[0]).focus();
}

function replacePage(page) {
  const main = document.importNode(page.querySelector("main"), true);
  document.title = page.title;
  document.querySelector("main").replaceWith(main);
  prepare(main);
  scrollTo(0, 0);
  main.focus();
}

function report(form, text) {
  allowSubmit(form);
  const notice = form.querySelector("[data-problem]") ?? document.createElement("div");
  notice.className = "alert danger";
  notice.dataset.problem = "";
  notice.setAttribute("role", "alert");
  notice.textContent = text;
  form.prepend(notice);
}

function allowSubmit(form) {
  delete form.dataset.sent;
  form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
}

prepare(document);

// After "back", the browser restores the page from memory: allow submitting again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) allowSubmit(form);
});

if (document.activeElement === document.body) document.querySelector("[aria-invalid=true]")?.focus();
