import createClient from "openapi-fetch";
import type { paths } from "../out/openapi-typescript/schema";
import { baseUrl, data, member, walk } from "./walk";

const client = createClient<paths>({ baseUrl });

function form(fields: Record<string, unknown>): FormData {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value as Blob);
  return body;
}

void walk({
  signIn: async (username, password) =>
    member(data(await client.POST("/api/v1/auth/login/", { body: { username, password } })), "access"),
  profile: async () => data(await client.GET("/api/v1/auth/profile/")),
  createNote: async (body) => data(await client.POST("/api/v1/notes/", { body })),
  renameNote: async (id, title) =>
    data(await client.PATCH("/api/v1/notes/{id}/", { params: { path: { id } }, body: { title } })),
  notes: async (search) => data(await client.GET("/api/v1/notes/", { params: { query: { search } } })).results,
  createLabel: async (name) => data(await client.POST("/api/v1/labels/", { body: { name } })),
  setLabel: async (id, label) =>
    data(await client.POST("/api/v1/notes/{id}/labels/", { params: { path: { id } }, body: { label_ids: [label] } })),
  send: async (body, recipients) => data(await client.POST("/api/v1/messages/", { body: { body, recipients } })),
  messages: async () => data(await client.GET("/api/v1/messages/")).results,
  markRead: async (id) => data(await client.POST("/api/v1/messages/{id}/read/", { params: { path: { id } } })).unread,
  upload: async (file) =>
    member(data(await client.POST("/api/v1/contacts/uploads/", { body: { file: file as never }, bodySerializer: form })), "id"),
  uploadStatus: async (id) =>
    data(await client.GET("/api/v1/contacts/uploads/{id}/", { params: { path: { id } } })).status,
  contacts: async (upload) => data(await client.GET("/api/v1/contacts/", { params: { query: { upload } } })).results,
  trends: async () => data(await client.GET("/api/v1/trends/")).count,
  summary: async () => data(await client.GET("/api/v1/trends/summary/")).count,
});
