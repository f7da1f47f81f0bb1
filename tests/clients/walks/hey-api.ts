import { client } from "../out/hey-api/client.gen";
import * as api from "../out/hey-api/sdk.gen";
import { baseUrl, data, member, walk } from "./walk";

client.setConfig({ baseUrl });

void walk({
  signIn: async (username, password) => member(data(await api.authLoginCreate({ body: { username, password } })), "access"),
  profile: async () => data(await api.authProfileRetrieve()),
  createNote: async (body) => data(await api.notesCreate({ body })),
  renameNote: async (id, title) => data(await api.notesPartialUpdate({ path: { id }, body: { title } })),
  notes: async (search) => data(await api.notesList({ query: { search } })).results,
  createLabel: async (name) => data(await api.labelsCreate({ body: { name } })),
  setLabel: async (id, label) => data(await api.notesLabelsCreate({ path: { id }, body: { label_ids: [label] } })),
  send: async (body, recipients) => data(await api.messagesSend({ body: { body, recipients } })),
  messages: async () => data(await api.messagesList()).results,
  markRead: async (id) => data(await api.messagesReadOne({ path: { id } })).unread,
  upload: async (file) => member(data(await api.contactsUploadsCreate({ body: { file } })), "id"),
  uploadStatus: async (id) => data(await api.contactsUploadsRetrieve({ path: { id } })).status,
  contacts: async (upload) => data(await api.contactsList({ query: { upload } })).results,
  trends: async () => data(await api.trendsList()).count,
  summary: async () => data(await api.trendsSummaryRetrieve()).count,
});
