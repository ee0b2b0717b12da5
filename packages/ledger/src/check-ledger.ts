import { EvidenceError, type KeySet, parseCheckpoint, utf8, verifyAllOf } from "@tally/evidence";
import { CHECKPOINT_FILE, readCheckpointFile, type SignedCheckpoint } from "./checkpoint-file.ts";
import { LedgerError } from "./error.ts";
import { type Files, nodeFiles } from "./files/index.ts";
import { type CheckProblem, checkLog } from "./store/check-log.ts";
import { LOG_FILE } from "./store/layout.ts";
import { readOrigin } from "./store/store-files.ts";

export interface CheckReport {
  /** No problem was found. */
  readonly ok: boolean;
  readonly origin: string | undefined;
  /** Entries that hold, from the first on. */
  readonly size: number;
  /** Size of the stored checkpoint, 0 without one. */
  readonly signedSize: number;
  /** Bytes of an interrupted write behind the last commit: cut when the ledger is opened, and no problem. */
  readonly tornBytes: number;
  /** Whether signatures were verified: only when a key set was given and there is a checkpoint. */
  readonly signaturesVerified: boolean;
  readonly problems: readonly CheckProblem[];
}

/**
 * Proves a ledger's folder whole, or says what is wrong and where: re-hashes every entry, compares commits, leaf hashes, tile roots
 * and the checkpoint's root, and with `keySet` verifies that every key signed the checkpoint. Reads only; takes no lock.
 */
export async function checkLedger(
  dir: string,
  options: { readonly keySet?: KeySet; readonly files?: Files } = {},
): Promise<CheckReport> {
  const { keySet, files = nodeFiles } = options;
  const problems: CheckProblem[] = [];
  const origin = await collect(problems, LOG_FILE, () => readOrigin(files, dir));
  const signed = await collect(problems, CHECKPOINT_FILE, () => readCheckpointFile(files, dir));
  if (origin === undefined) {
    if (problems.length === 0) problems.push({ where: LOG_FILE, what: `there is no ledger in ${dir}` });
    return report({ origin, size: 0, signed, tornBytes: 0, signaturesVerified: false, problems });
  }
  let signaturesVerified = false;
  if (signed !== undefined && keySet !== undefined) {
    await collect(problems, CHECKPOINT_FILE, async () => {
      verifyAllOf(parseCheckpoint(utf8(signed.note)).note, origin, keySet);
      signaturesVerified = true;
    });
  }
  if (signed !== undefined && signed.checkpoint.origin !== origin) {
    problems.push({ where: CHECKPOINT_FILE, what: `is of ${signed.checkpoint.origin}, not of ${origin}` });
  }
  const sealed = signed?.checkpoint;
  const log = await checkLog({ dir, origin, files, ...(sealed && { sealed }) });
  const { size, tornBytes } = log;
  return report({ origin, size, signed, tornBytes, signaturesVerified, problems: [...problems, ...log.problems] });
}

function report(found: Omit<CheckReport, "ok" | "signedSize"> & { signed: SignedCheckpoint | undefined }): CheckReport {
  const { signed, ...rest } = found;
  const signedSize = signed?.checkpoint.size ?? 0;
  return Object.freeze({ ok: rest.problems.length === 0, ...rest, signedSize });
}

/** Runs a step; what it refuses becomes a problem of `where`. Failures to read at all are thrown. */
async function collect<T>(problems: CheckProblem[], where: string, step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof EvidenceError || error instanceof LedgerError)) throw error;
    problems.push(Object.freeze({ where, what: error.message }));
    return undefined;
  }
}
