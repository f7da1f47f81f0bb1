// Forms that a passkey answers: <form data-passkey="get|create"> with hidden fields `credential` and, if the options come
// from the API, `ticket`. The options are at data-options-path, or in the JSON element that data-options-from names.
// The forms stay hidden if the browser does not support passkeys or the page is not secure.
import { atrium } from "../atrium/site.js";

const REAUTHENTICATE = "/account/reauthenticate/";

const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
const descriptors = (list) => (list ?? []).map((each) => ({ ...each, id: toBytes(each.id) }));

// The methods parseRequestOptionsFromJSON() and toJSON() do the same, but many browsers in use lack them.
async function create(options) {
  const publicKey = {
    ...options,
    challenge: toBytes(options.challenge),
    user: { ...options.user, id: toBytes(options.user.id) },
    excludeCredentials: descriptors(options.excludeCredentials),
  };
  const { id, rawId, type, response } = await navigator.credentials.create({ publicKey });
  return {
    id,
    rawId: toText(rawId),
    type,
    response: {
      clientDataJSON: toText(response.clientDataJSON),
      attestationObject: toText(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
}

async function get(options) {
  const publicKey = {
    ...options,
    challenge: toBytes(options.challenge),
    allowCredentials: descriptors(options.allowCredentials),
  };
  const { id, rawId, type, response } = await navigator.credentials.get({ publicKey });
  return {
    id,
    rawId: toText(rawId),
    type,
    response: {
      clientDataJSON: toText(response.clientDataJSON),
      authenticatorData: toText(response.authenticatorData),
      signature: toText(response.signature),
      userHandle: response.userHandle ? toText(response.userHandle) : null,
    },
  };
}

function explain(error) {
  if (error.name === "InvalidStateError") return "This device already has a passkey for your account.";
  if (error.name === "NotAllowedError") return "The passkey was not used. Try again, or use another way.";
  if (error.name === "SecurityError") return "Passkeys do not work at this address. Open the site at its public address.";
  return error.message;
}

async function answer(form) {
  let options;
  if (form.dataset.optionsFrom) {
    options = JSON.parse(document.getElementById(form.dataset.optionsFrom).textContent);
  } else {
    const challenge = await atrium.post(form.dataset.optionsPath);
    options = challenge.options;
    form.elements.ticket.value = challenge.ticket;
  }
  const credential = await (form.dataset.passkey === "create" ? create(options) : get(options));
  form.elements.credential.value = JSON.stringify(credential);
  form.submit(); // without another submit event
}

if (window.isSecureContext && "PublicKeyCredential" in window) {
  for (const note of document.querySelectorAll("[data-no-passkeys]")) note.hidden = true;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    const shown = form.querySelector("[data-passkey-error]");
    form.addEventListener("submit", async (event) => {
      if (event.defaultPrevented) return; // by fields.js: it is a second submit
      event.preventDefault();
      shown.hidden = true;
      try {
        await answer(form);
      } catch (error) {
        if (error.code === "reauthentication_required") {
          location.assign(`${REAUTHENTICATE}?next=${encodeURIComponent(location.pathname)}`);
          return;
        }
        shown.textContent = explain(error);
        shown.hidden = false;
        delete form.dataset.sent; // of fields.js: allow another attempt
        event.submitter?.removeAttribute("aria-busy");
      }
    });
  }
}
