/** What kind of thing was wrong. Callers branch on this; people read the message. */
export type PlaneErrorCode =
  | "bad-request"
  | "unauthorized"
  | "forbidden"
  | "blocked"
  | "awaiting-acceptance"
  | "not-found"
  | "conflict"
  | "policy-denied"
  | "too-large"
  | "not-ready"
  | "refuses-to-sign"
  | "configuration"
  | "internal";

/** The one error that this room throws on purpose: what is wrong, and what to do next. */
export class PlaneError extends Error {
  override readonly name = "PlaneError";
  readonly code: PlaneErrorCode;
  readonly hint: string | undefined;

  constructor(
    code: PlaneErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly hint?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}
