import { isDiskFull } from "@tally/ledger";
import { EdgeError, messageOf } from "../error.ts";

export const fullHint = "nothing was recorded and no output released; make room, and the device goes on by itself";

/** What a failed write means for the one who wanted to record. */
export function storageError(cause: unknown, what: string): EdgeError {
  if (cause instanceof EdgeError && cause.code !== "record-failed") return cause;
  const isFull = isDiskFull(cause);
  return new EdgeError(isFull ? "storage-full" : "record-failed", `${what}: ${messageOf(cause)}`, {
    cause,
    hint: isFull ? fullHint : "the output was not released; the device goes on by itself when the disk is well",
  });
}
