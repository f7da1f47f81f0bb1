// Sends what still waits in a page when the page is left, and before a sign-out ends the session.
const PATIENCE = 3000; // milliseconds that a sign-out waits for the answers

const senders = [];
let isWaiting = false;

// While a sign-out is under way: what the page has requested besides may be refused, which is not worth a notice.
export let isSigningOut = false;

// Call `send({ keepalive: true })` at these moments. Its promise tells when the answers have arrived.
export function beforeLeaving(send) {
  senders.push(send);
}

const sendAll = () => Promise.allSettled(senders.map((send) => send({ keepalive: true })));

addEventListener("pagehide", sendAll);
addEventListener("pageshow", ({ persisted }) => persisted && (isSigningOut = false)); // "Back" shows the page again
// Sent beside the sign-out, a request might arrive after it and be refused.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.getAttribute("action") !== "/logout/") return;
  event.preventDefault();
  if (isWaiting) return;
  isWaiting = isSigningOut = true;
  await Promise.race([sendAll(), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  isWaiting = false; // a sign-out without a connection can be repeated
  form.submit(); // without this event
});
