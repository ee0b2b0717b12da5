/**
 * What can go wrong in a ledger, by code:
 *
 * - `damaged`: something at or below the last signed size is missing or altered, or acknowledged entries are.
 * - `write-failed`: a write or an fsync failed; nothing is acknowledged until the ledger is opened again.
 * - `queue-full`: more entries wait for the disk than may wait.
 * - `entry-too-large`: an entry does not fit its 16-bit length.
 * - `out-of-range`: an index, size or tile that this log does not have.
 * - `locked`: another process has this folder open.
 * - `wrong-origin`: the folder holds the log of another origin.
 * - `format-unknown`: the folder was written by a later or different format.
 * - `signing-refused`: a checkpoint that must not be signed.
 * - `read-only`: opened for reading, asked to write.
 * - `closed`: used after it was closed.
 * - `export-exists`: the folder to export to is not empty.
 * - `protocol`: a peer answered outside the C2SP protocols.
 * - `unreachable`: a peer did not answer.
 */
export type LedgerErrorCode =
  | "damaged"
  | "write-failed"
  | "queue-full"
  | "entry-too-large"
  | "out-of-range"
  | "locked"
  | "wrong-origin"
  | "format-unknown"
  | "signing-refused"
  | "read-only"
  | "closed"
  | "export-exists"
  | "protocol"
  | "unreachable";

/** The one error class of this room. `hint` says what to do next. */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;
  readonly hint: string | undefined;

  constructor(code: LedgerErrorCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LedgerError";
    this.code = code;
    this.hint = options.hint;
  }
}
