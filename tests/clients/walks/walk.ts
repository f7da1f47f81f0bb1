/** One walk through the five domains. Each generated client provides the steps. */

declare const process: { env: Record<string, string>; exitCode: number };

interface Note {
  id: number;
  title: string;
  body: string;
  color: string;
  labels: { id: number; name: string }[];
}

export interface Steps {
  signIn(username: string, password: string): Promise<string>;
  profile(): Promise<{ username: string; usercode: string }>;
  createNote(content: { title: string; body: string; color: string }): Promise<Note>;
  renameNote(id: number, title: string): Promise<Note>;
  notes(search: string): Promise<Note[]>;
  createLabel(name: string): Promise<{ id: number }>;
  setLabel(note: number, label: number): Promise<Note>;
  send(body: string, recipients: string[]): Promise<{ id: number }>;
  messages(): Promise<{ id: number; body: string }[]>;
  markRead(id: number): Promise<number>;
  upload(file: File): Promise<number>;
  uploadStatus(id: number): Promise<string>;
  contacts(upload: number): Promise<unknown[]>;
  trends(): Promise<number>;
  summary(): Promise<number>;
}

const { url, name, account, friend, sheet } = JSON.parse(process.env.ATRIUM_WALK);
let access = "";

/** Return a member that only one kind of the answer has. */
export function member<Answer extends object, Key extends string>(
  answer: Answer,
  key: Key,
): Extract<Answer, { [K in Key]: unknown }>[Key] {
  if (!(key in answer)) throw new Error(JSON.stringify(answer));
  return (answer as Extract<Answer, { [K in Key]: unknown }>)[key];
}

/** Send every request to the product, with the access token. */
const send = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const request = new Request(input instanceof Request ? input : new URL(String(input), url), init);
  if (access) request.headers.set("Authorization", `Bearer ${access}`);
  return send(request);
};

export const baseUrl: string = url;

/** Return the data of an answer, or fail with its error. */
export function data<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

function equal(actual: unknown, expected: unknown): void {
  const [found, wanted] = [actual, expected].map((each) => JSON.stringify(each));
  if (found !== wanted) throw new Error(`expected ${wanted}, got ${found}`);
}

async function accounts(client: Steps): Promise<void> {
  access = await client.signIn(account.login, account.password);
  equal((await client.profile()).username, account.login);
}

async function notes(client: Steps): Promise<void> {
  const content = { title: `Walk of ${name}`, body: "The body stays.", color: "teal" };
  const note = await client.createNote(content);
  const renamed = await client.renameNote(note.id, `${content.title}, renamed`);
  equal([renamed.title, renamed.body, renamed.color], [`${content.title}, renamed`, content.body, content.color]);
  const label = await client.createLabel(`Label of ${name}`);
  equal((await client.setLabel(note.id, label.id)).labels, [{ id: label.id, name: `Label of ${name}` }]);
  equal((await client.notes(content.title)).map((each) => each.id), [note.id]);
}

async function messages(client: Steps): Promise<void> {
  const { usercode } = await client.profile();
  const { id } = await client.send(`Hello from ${name}`, [usercode, friend]);
  equal((await client.messages()).some((each) => each.id === id && each.body === `Hello from ${name}`), true);
  equal(typeof (await client.markRead(id)), "number");
}

async function contacts(client: Steps): Promise<void> {
  const bytes = Uint8Array.from(atob(sheet), (each) => each.charCodeAt(0));
  const id = await client.upload(new File([bytes], "contacts.xlsx"));
  const end = Date.now() + 60_000;
  while (!(await client.uploadStatus(id)).startsWith("completed")) {
    if (Date.now() > end) throw new Error("the upload was not read within a minute");
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  equal(Array.isArray(await client.contacts(id)), true);
}

async function trends(client: Steps): Promise<void> {
  const count = await client.trends();
  equal([count > 0, await client.summary()], [true, count]);
}

export async function walk(client: Steps): Promise<void> {
  for (const domain of [accounts, notes, messages, contacts, trends]) {
    await domain(client);
    console.log(`${domain.name}: ok`);
  }
}
