/** What kind of thing was wrong. Callers branch on this; people read the message. */
export type EvidenceErrorCode =
  | "encoding-invalid"
  | "digest-invalid"
  | "key-invalid"
  | "signature-invalid"
  | "signature-missing"
  | "proof-invalid"
  | "range-invalid"
  | "note-invalid"
  | "checkpoint-invalid"
  | "policy-invalid"
  | "tile-invalid"
  | "cbor-invalid"
  | "entry-invalid"
  | "entry-too-large"
  | "content-invalid"
  | "statement-invalid"
  | "envelope-invalid"
  | "trust-invalid"
  | "receipt-invalid"
  | "bundle-invalid"
  | "bundle-damaged"
  | "source-changed"
  | "run-broken"
  | "api-invalid"
  | "not-supported";

/** Optional parts of an {@link EvidenceError}: the error underneath, and what the reader can do next. */
export interface EvidenceErrorOptions {
  readonly cause?: unknown;
  readonly hint?: string;
}

/** The one error that this package throws on purpose. The message names the thing that is wrong. */
export class EvidenceError extends Error {
  override readonly name = "EvidenceError";
  readonly code: EvidenceErrorCode;
  readonly hint: string | undefined;

  constructor(code: EvidenceErrorCode, message: string, options: EvidenceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}
