// A sample front end: sign in, list and edit notes, and see the changes of others at once.
//
// Serve this folder from any origin, together with client.js (config/static/atrium/client.js), and add that origin to
// CORS_ALLOWED_ORIGINS of the site. Open notes.html?site=https://atrium.example.org.
import { AuthenticationError, createClient, PreconditionFailedError } from "./client.js";

const site = new URL(location.href).searchParams.get("site") ?? "http://localhost:8000";
const atrium = createClient({ url: site, credentials: { storage: localStorage } });

const find = (selector) => document.querySelector(selector);
const values = (form) => Object.fromEntries(new FormData(form));
const articles = new Map(); // id -> the element of a note
let challenge = null; // a sign-in that needs a second factor
let events = null;

function show(view) {
  for (const each of ["#sign-in", "#second-factor", "main"]) find(each).hidden = each !== view;
}

/** Run an action and show its error. */
async function attempt(action) {
  find("[role=alert]").textContent = "";
  try {
    await action();
  } catch (error) {
    if (error instanceof AuthenticationError && error.code !== "invalid_credentials") return show("#sign-in");
    find("[role=alert]").textContent = error.message;
  }
}

function render(note) {
  let article = articles.get(note.id);
  if (!article) {
    article = find("template").content.cloneNode(true).firstElementChild;
    article.querySelector("button").addEventListener("click", () => attempt(() => save(note.id)));
    articles.set(note.id, article);
    find("#notes").prepend(article);
  }
  article.note = note; // the version that this form shows
  for (const name of ["title", "body"]) article.querySelector(`[name=${name}]`).value = note[name];
}

/** Whether the user has typed something that is not saved. */
function isEdited(id) {
  const article = articles.get(id);
  return article && ["title", "body"].some((name) => article.querySelector(`[name=${name}]`).value !== article.note[name]);
}

function remove(id) {
  articles.get(id)?.remove();
  articles.delete(id);
}

/** Read one note. Single reads have a version, which save() needs. */
async function load(id) {
  try {
    render(await atrium.get("/notes/{id}/", { path: { id } }));
  } catch (error) {
    if (error.status !== 404) throw error;
    remove(id);
  }
}

async function loadAll() {
  const notes = await atrium.list("/notes/").toArray({ limit: 50 });
  for (const note of notes.toReversed()) render(note);
  const ids = new Set(notes.map((note) => note.id));
  for (const id of articles.keys()) if (!ids.has(id)) remove(id);
  await Promise.all([...ids].map(load));
}

async function save(id) {
  const article = articles.get(id);
  const body = { title: article.querySelector("[name=title]").value, body: article.querySelector("[name=body]").value };
  try {
    render(await atrium.patch("/notes/{id}/", { path: { id }, body, ifMatch: article.note }));
  } catch (error) {
    if (!(error instanceof PreconditionFailedError)) throw error;
    await load(id);
    throw new Error("Somebody else changed this note. Here is their version.");
  }
}

/** Show the notes, and keep them up to date until the session ends. */
async function start() {
  show("main");
  events = atrium.events({ onStateChange: (state) => (find("#state").textContent = state === "open" ? "Live" : state) });
  for await (const event of events) {
    if (event.type === "resync") await loadAll();
    // What somebody is typing stays. Saving it shows that there is a newer version.
    else if (event.type === "note" && !isEdited(event.data.id)) await load(event.data.id);
  }
}

find("#sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(async () => {
    const result = await atrium.signIn(values(event.target));
    if (!result.mfaRequired) return start();
    challenge = result;
    show("#second-factor");
  });
});

find("#second-factor").addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(async () => {
    await challenge.submitCode(values(event.target).code);
    await start();
  });
});

find("#new").addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(async () => {
    const { id } = await atrium.post("/notes/", { body: values(event.target) });
    event.target.reset();
    await load(id);
  });
});

find("#sign-out").addEventListener("click", () =>
  attempt(async () => {
    events?.close();
    await atrium.signOut();
    for (const id of [...articles.keys()]) remove(id);
    show("#sign-in");
  }),
);

void attempt(async () => ((await atrium.session()) ? start() : show("#sign-in")));
