/** One problem of a request. */
export interface ErrorEntry {
  /** For programs, such as `required`. */
  code: string;
  /** For people. */
  detail: string;
  /** The field, such as `items.2.text`; `non_field_errors` for a combination of fields; null if it is not about a field. */
  attr: string | null;
}

/** Base class of all errors of this package. */
export class AtriumError extends Error {
  override name = "AtriumError";
}

/** The server could not be reached, or the connection broke before the answer was complete. */
export class NetworkError extends AtriumError {
  override name = "NetworkError";

  constructor(message = "Cannot reach the server. Check your connection.", options?: ErrorOptions) {
    super(message, options);
  }
}

/** The server answered with an error. Subclasses stand for the statuses that programs treat differently. */
export class ApiError extends AtriumError {
  override name = "ApiError";
  readonly status: number;
  readonly errors: ErrorEntry[];
  /** The code of the first error, such as `nobody_online`; empty if the answer is not from Atrium. */
  readonly code: string;
  /** The id of the request in the server's logs. Show it with "Something went wrong". */
  readonly requestId: string | null;
  /** Seconds after which the server accepts another attempt. */
  readonly retryAfter: number | null;

  constructor(response: Response, errors: ErrorEntry[]) {
    super(errors.map((each) => each.detail).join(" ") || `The server answered with status ${response.status}.`);
    this.status = response.status;
    this.errors = errors;
    this.code = errors[0]?.code ?? "";
    this.requestId = response.headers.get("X-Request-ID");
    this.retryAfter = retryAfter(response);
  }

  /** The messages of each field, to be shown next to it. The key is `""` for errors that are not about a field. */
  get fields(): Record<string, string[]> {
    const fields: Record<string, string[]> = {};
    for (const { attr, detail } of this.errors) (fields[attr ?? ""] ??= []).push(detail);
    return fields;
  }

  /** Whether an error has this code. */
  has(code: string): boolean {
    return this.errors.some((each) => each.code === code);
  }
}

/** 400: a field is invalid. `fields` has the messages of each. */
export class ValidationError extends ApiError {
  override name = "ValidationError";
}

/** 401: not signed in, or the session has ended. Ask the user to sign in. */
export class AuthenticationError extends ApiError {
  override name = "AuthenticationError";
}

/** 403: visible, but not allowed. */
export class PermissionError extends ApiError {
  override name = "PermissionError";
}

/** 404: does not exist, or belongs to someone else. */
export class NotFoundError extends ApiError {
  override name = "NotFoundError";
}

/** 409: the current state does not allow this. */
export class ConflictError extends ApiError {
  override name = "ConflictError";
}

/** 412: the object has changed since it was read. Read it again, apply the change to it, and write again. */
export class PreconditionFailedError extends ApiError {
  override name = "PreconditionFailedError";
}

/** 429: too many requests. `retryAfter` says how many seconds to wait. */
export class RateLimitError extends ApiError {
  override name = "RateLimitError";
}

/** 5xx: the server cannot answer now. */
export class ServerError extends ApiError {
  override name = "ServerError";
}

const CLASSES: Record<number, typeof ApiError> = {
  400: ValidationError,
  401: AuthenticationError,
  403: PermissionError,
  404: NotFoundError,
  409: ConflictError,
  412: PreconditionFailedError,
  429: RateLimitError,
};

/** Return the error of an answer. `body` is its text. */
export function toError(response: Response, body: string): ApiError {
  let errors: unknown;
  try {
    errors = (JSON.parse(body) as { errors?: unknown }).errors;
  } catch {
    // An answer of a proxy in between.
  }
  const Class = CLASSES[response.status] ?? (response.status >= 500 ? ServerError : ApiError);
  return new Class(response, Array.isArray(errors) ? (errors as ErrorEntry[]) : []);
}

/** Return the seconds in `Retry-After`, which is a number or a date. */
export function retryAfter(response: Response): number | null {
  const value = response.headers.get("Retry-After");
  if (!value) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}
