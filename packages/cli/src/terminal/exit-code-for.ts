import { isDiskFull } from "@tally/ledger";
import { CliError, type ExitCode, exitCodes } from "./exit-code.ts";

/** Codes of all rooms' errors, by what the process exits with. Codes that stand nowhere here are unexpected. */
const codes: Readonly<Partial<Record<ExitCode, readonly string[]>>> = {
  [exitCodes.usage]: [
    // what was typed, or what lies where it points
    ...["bad-request", "not-found", "configuration", "conflict", "too-large", "locked", "format-unknown"],
    ...["encoding-invalid", "digest-invalid", "key-invalid", "policy-invalid", "trust-invalid", "not-supported"],
    ...["statement-invalid", "envelope-invalid", "content-invalid", "api-invalid"],
    ...["name-invalid", "manifest-invalid", "media-type-invalid", "layout-invalid", "modelkit-invalid"],
    ...[
      "archive-invalid",
      "refused",
      "already-enrolled",
      "busy",
      "config-invalid",
      "device-locked",
      "not-enrolled",
      "storage-full",
      "export-exists",
    ],
    ...["listen-refused", "model-not-found", "request-invalid", "plane-refused"],
    ...["ENOENT", "EISDIR", "ENOTDIR", "EEXIST", "ENOTEMPTY", "EADDRINUSE"],
    ...["EACCES", "EPERM", "EROFS", "ENAMETOOLONG", "ELOOP"],
  ],
  [exitCodes.verificationFailed]: [
    ...["load-refused", "signature-invalid", "signature-missing", "proof-invalid", "digest-mismatch", "size-mismatch"],
    ...["damaged", "bundle-invalid", "bundle-damaged", "note-invalid", "checkpoint-invalid", "receipt-invalid"],
    ...["segment-invalid", "plane-untrusted", "refuses-to-sign", "entry-invalid", "run-broken", "behind"],
  ],
  [exitCodes.denied]: [
    "policy-denied",
    "denied",
    "forbidden",
    "unauthorized",
    "blocked",
    "awaiting",
    "request-refused",
    "segment-encrypted",
  ],
  [exitCodes.unreachable]: ["unreachable", "not-ready", "ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "ETIMEDOUT"],
};

const byCode: ReadonlyMap<string, ExitCode> = new Map(
  Object.entries(codes).flatMap(([exit, names]) =>
    names.map((name): [string, ExitCode] => [name, Number(exit) as ExitCode]),
  ),
);

/** The exit code for an error of any room, by its `code`. */
export function exitCodeFor(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (hasNoRoom(error)) return exitCodes.usage;
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown };
  // A file system that failed is what it failed with: a place that may not be written to is for whoever named it to mend.
  if (code === "storage-failed" && cause !== undefined) return exitCodeFor(cause);
  return (typeof code === "string" ? byCode.get(code) : undefined) ?? exitCodes.unexpected;
}

/** SQLite's code for a full disk (SQLITE_FULL), which comes without the system's. */
const databaseFull = 13;

/** A full disk or a used up quota, whoever met it. */
export function hasNoRoom(error: unknown): boolean {
  return isDiskFull(error) || (error as { errcode?: unknown } | null)?.errcode === databaseFull;
}
