/** What can go wrong with artifacts on the move; the code is for programs, the message for people. */
export type OciErrorCode =
  | "digest-invalid" // not a digest in canonical form
  | "digest-mismatch" // bytes are not the ones their digest names
  | "size-mismatch" // more or fewer bytes than announced
  | "too-large" // over a stated limit
  | "not-found"
  | "range-invalid" // a byte range that does not fit, a chunk with a gap or an overlap
  | "busy" // somebody else writes the same thing right now
  | "storage-full"
  | "storage-failed"
  | "name-invalid" // repository, tag or reference grammar
  | "manifest-invalid"
  | "media-type-invalid"
  | "layout-invalid"
  | "unreachable" // no answer: refused, reset, timed out
  | "unauthorized" // the registry wants other credentials, or forbids
  | "refused" // the registry understood and said no
  | "protocol" // the other side breaks the distribution specification
  | "archive-invalid" // a tar that is damaged, unsafe or not what it should be
  | "modelkit-invalid"
  | "signature-invalid"
  | "trust-invalid" // what is to be believed cannot be read
  | "aborted";

/** Every error that this room throws on purpose. `hint` says what to do next where that is known. */
export class OciError extends Error {
  readonly code: OciErrorCode;
  readonly hint: string | undefined;

  constructor(code: OciErrorCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "OciError";
    this.code = code;
    this.hint = options.hint;
  }
}
