/** What kind of thing was wrong. Callers branch on this; people read the message. */
export type PlaneErrorCode =
  | "bad-request"
  | "unauthorized"
  | "forbidden"
  | "device-blocked"
  | "unknown-signer"
  | "policy-denied"
  | "not-found"
  | "conflict"
  | "too-large"
  | "too-slow"
  | "not-ready"
  | "refuses-to-sign"
  | "configuration"
  | "internal";

export interface PlaneErrorOptions {
  readonly cause?: unknown;
  readonly hint?: string;
  /** Further members of the error's answer. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error that this room throws on purpose: what is wrong, and what to do next. */
export class PlaneError extends Error {
  override readonly name = "PlaneError";
  readonly code: PlaneErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: PlaneErrorCode, message: string, options: PlaneErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}
