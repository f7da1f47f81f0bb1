import type { components, paths } from "./schema.js";

/** The objects of the API, by their names in the schema: `Schemas["Note"]`. */
export type Schemas = components["schemas"];

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** The paths that have a method, below `/api/v1`. */
export type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];

export type Operation<P extends keyof paths, M extends Method> = paths[P][M];

type Content<C> = C extends { "application/json": infer J } ? J : Blob;
type SuccessStatus = 200 | 201 | 202 | 204;

/** What an operation returns: JSON as its type, files as Blob, undefined without content. */
export type Result<O> = O extends { responses: infer R }
  ? [keyof R & SuccessStatus] extends [never]
    ? Blob // a redirect to a file, which is followed
    : { [S in keyof R & SuccessStatus]: R[S] extends { content: infer C } ? Content<C> : undefined }[keyof R & SuccessStatus]
  : never;

type PathPart<O> = O extends { parameters: { path: infer T } } ? { path: T } : { path?: undefined };

type QueryPart<O> = O extends { parameters: { query: infer T } }
  ? { query: T }
  : O extends { parameters: { query?: infer T } }
    ? { query?: T }
    : { query?: undefined };

type BodyPart<O> = O extends { requestBody: { content: infer C } }
  ? { body: C[keyof C] }
  : O extends { requestBody?: { content: infer C } }
    ? { body?: C[keyof C] }
    : { body?: undefined };

/** The input of an operation: `path`, `query` and `body`. */
export type Input<O> = PathPart<O> & QueryPart<O> & BodyPart<O>;

/** The arguments after the path: optional if the operation requires no input. */
export type Arguments<O, Options> = {} extends Input<O> ? [init?: Input<O> & Options] : [init: Input<O> & Options];

/** The paths of lists, whose pages have `results`. */
export type ListPath = {
  [P in PathsWith<"get">]: Result<Operation<P, "get">> extends { results: unknown[] } ? P : never;
}[PathsWith<"get">];

export type Page<P extends ListPath> = Result<Operation<P, "get">>;

export type Item<P extends ListPath> = Page<P> extends { results: (infer T)[] } ? T : never;
