/** What can go wrong on a device. Each error's message names the thing, and its hint the next step. */
export type EdgeErrorCode =
  | "already-enrolled"
  | "awaiting"
  | "behind"
  | "blocked"
  | "busy"
  | "config-invalid"
  | "content-invalid"
  | "damaged"
  | "denied"
  | "device-closed"
  | "device-locked"
  | "entry-too-large"
  | "listen-refused"
  | "load-refused"
  | "model-not-found"
  | "model-released"
  | "not-enrolled"
  | "plane-refused"
  | "plane-untrusted"
  | "record-failed"
  | "request-invalid"
  | "request-refused"
  | "runtime-failed"
  | "segment-encrypted"
  | "segment-invalid"
  | "storage-full"
  | "trust-invalid"
  | "unreachable";

/** The one error class of this room. */
export class EdgeError extends Error {
  readonly code: EdgeErrorCode;
  /** What to do next, in one sentence. */
  readonly hint: string | undefined;

  constructor(code: EdgeErrorCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "EdgeError";
    this.code = code;
    this.hint = options.hint;
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
