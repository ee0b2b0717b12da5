import { CHECKPOINT_FILE, readCheckpointFile, type SignedCheckpoint } from "../checkpoint-file.ts";
import { type Files, nodeFiles } from "../files/index.ts";
import { ENTRIES_FILE } from "../store/layout.ts";
import { checkLog } from "./check-log.ts";
import { findOrigin, readable } from "./find-origin.ts";
import { type CheckProblem, Problems } from "./problem.ts";
import { checkNote, type KeysOfLog, type SignatureState } from "./signatures.ts";

export interface CheckReport {
  /** No problem was found. Whose ledger it is, `signatures` says. */
  readonly ok: boolean;
  readonly origin: string | undefined;
  /** Entries that hold, from the first on. */
  readonly size: number;
  /** Size of the stored checkpoint, 0 without one. */
  readonly signedSize: number;
  /** Bytes of an interrupted write behind the last commit: cut when the ledger is opened, and no problem. */
  readonly tornBytes: number;
  readonly signatures: SignatureState;
  readonly problems: readonly CheckProblem[];
}

export interface CheckOptions {
  /** The keys that must all sign the checkpoint. Without them no signature is checked, and the report says so. */
  readonly keySet?: KeysOfLog;
  readonly files?: Files;
}

/**
 * Proves a ledger's folder whole, or says what is wrong and where: re-hashes every entry, compares commits, leaf hashes, tile roots
 * and the checkpoint's root, and with `keySet` verifies that every key signed the checkpoint. Reads only; takes no lock.
 *
 * @NOTE Without keys a folder that was rewritten as a whole, checkpoint included, is whole. So is one whose checkpoint was
 * deleted: `signatures` is then `none`, as before the first seal.
 */
export async function checkLedger(dir: string, options: CheckOptions = {}): Promise<CheckReport> {
  const { keySet, files = nodeFiles } = options;
  const problems = new Problems();
  const signed = await readable(problems, CHECKPOINT_FILE, () => readCheckpointFile(files, dir));
  const origin = await findOrigin(files, dir, signed?.checkpoint.origin, problems);
  if (origin === undefined) {
    return report(problems, { origin, size: 0, tornBytes: 0, signatures: signed ? "not-checked" : "none" }, signed);
  }
  if (signed !== undefined && signed.checkpoint.origin !== origin) {
    problems.add(CHECKPOINT_FILE, `is of ${signed.checkpoint.origin}, not of ${origin}`);
  }
  const signatures =
    signed === undefined ? "none" : checkNote(signed.note, { origin, where: CHECKPOINT_FILE }, keySet, problems);
  let differs = false;
  const compared = (holds: boolean) => {
    differs = !holds;
  };
  const vouched = signed && { ...signed.checkpoint, compared };
  const log = await checkLog({
    dir,
    origin,
    sealed: signed?.checkpoint.size ?? 0,
    vouched: vouched ? [vouched] : [],
    problems,
    files,
  });
  if (differs) addRootProblem(problems, signed!, signatures);
  return report(problems, { origin, ...log, signatures }, signed);
}

/** The entries agree with each other and not with what was signed: whose fault that is depends on whether the signature holds. */
function addRootProblem(problems: Problems, { checkpoint }: SignedCheckpoint, signatures: SignatureState): void {
  const what = `the first ${checkpoint.size} entries do not hash to the root of the checkpoint`;
  if (signatures === "good" || problems.has(ENTRIES_FILE)) problems.add(ENTRIES_FILE, what, { entry: 0, offset: 0 });
  else problems.add(CHECKPOINT_FILE, `${what}: they were replaced, or it was`);
}

function report(
  problems: Problems,
  found: Omit<CheckReport, "ok" | "signedSize" | "problems">,
  signed: SignedCheckpoint | undefined,
): CheckReport {
  const { all } = problems;
  return Object.freeze({ ok: all.length === 0, ...found, signedSize: signed?.checkpoint.size ?? 0, problems: all });
}
