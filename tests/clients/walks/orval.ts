import * as api from "../out/orval/client";
import { member, walk } from "./walk";

/** Return the data of an answer that has the expected status, or fail with its error. */
function expect<Answer extends { status: number; data: unknown }, Status extends Answer["status"]>(
  status: Status,
  answer: Answer,
): Extract<Answer, { status: Status }>["data"] {
  if (answer.status !== status) throw new Error(`${answer.status} ${JSON.stringify(answer.data)}`);
  return answer.data;
}

void walk({
  signIn: async (username, password) => member(expect(200, await api.authLoginCreate({ username, password })), "access"),
  profile: async () => expect(200, await api.authProfileRetrieve()),
  createNote: async (content) => expect(201, await api.notesCreate(content)),
  renameNote: async (id, title) => expect(200, await api.notesPartialUpdate(id, { title })),
  notes: async (search) => expect(200, await api.notesList({ search })).results,
  createLabel: async (name) => expect(201, await api.labelsCreate({ name })),
  setLabel: async (id, label) => expect(200, await api.notesLabelsCreate(id, { label_ids: [label] })),
  send: async (body, recipients) => expect(201, await api.messagesSend({ body, recipients })),
  messages: async () => expect(200, await api.messagesList()).results,
  markRead: async (id) => expect(200, await api.messagesReadOne(id)).unread,
  upload: async (file) => member(expect(202, await api.contactsUploadsCreate({ file })), "id"),
  uploadStatus: async (id) => expect(200, await api.contactsUploadsRetrieve(id)).status,
  contacts: async (upload) => expect(200, await api.contactsList({ upload })).results,
  trends: async () => expect(200, await api.trendsList()).count,
  summary: async () => expect(200, await api.trendsSummaryRetrieve()).count,
});
