export {
  AtriumClient,
  createClient,
  type CallOptions,
  type ClientOptions,
  type MfaChallenge,
  type SignInResult,
  type UploadOptions,
} from "./client.js";
export * from "./errors.js";
export { EventStream, type EventsOptions, type LiveEvent, type StreamState } from "./events.js";
export { nextQuery, type NextQuery, Paginator } from "./pages.js";
export { createPasskey, getPasskey, type PasskeyCredential, type PasskeyPrompt } from "./passkeys.js";
export type { components, operations, paths } from "./schema.js";
export type { Credentials, Session, SessionStorage, SessionUser } from "./session.js";
export type { RequestOptions } from "./transport.js";
export type { Arguments, Input, Item, ListPath, Method, Operation, Page, PathsWith, Result, Schemas } from "./types.js";
export type { UploadProgress } from "./uploads.js";
export { randomKey } from "./wait.js";
