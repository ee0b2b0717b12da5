import { join } from "node:path";
import {
  type Checkpoint,
  EvidenceError,
  equalBytes,
  fromUtf8,
  type NoteSigner,
  parseCheckpoint,
  utf8,
  verifyNote,
} from "@tally/evidence";
import { LedgerError } from "./error.ts";
import { type Files, writeDurably } from "./files/index.ts";

export const CHECKPOINT_FILE = "checkpoint";

/** The newest checkpoint a ledger signed, with the note as it was written. */
export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly note: string;
}

/** The stored note, unverified; undefined before the first seal. EvidenceError when it is not a checkpoint. */
export async function readCheckpointFile(files: Files, dir: string): Promise<SignedCheckpoint | undefined> {
  const bytes = await files.readWhole(join(dir, CHECKPOINT_FILE));
  if (bytes === undefined) return undefined;
  return Object.freeze({ checkpoint: parseCheckpoint(bytes).checkpoint, note: fromUtf8(bytes) });
}

export function writeCheckpointFile(files: Files, dir: string, note: string): Promise<void> {
  return writeDurably(files, join(dir, CHECKPOINT_FILE), utf8(note));
}

/** Why the note does not verify under any of `signers`; undefined when it does. An empty list verifies nothing. */
function faultOfNote(note: string, signers: readonly NoteSigner[]): string | undefined {
  if (signers.length === 0) return undefined;
  try {
    verifyNote(
      parseCheckpoint(utf8(note)).note,
      signers.map((signer) => signer.key),
    );
    return undefined;
  } catch (error) {
    if (error instanceof EvidenceError) return error.message;
    throw error;
  }
}

/** Before a fresh note leaves the signers: it must say exactly this checkpoint and carry every signer's good signature. */
export function checkFreshNote(note: string, wanted: Checkpoint, signers: readonly NoteSigner[]): void {
  const { checkpoint, note: parsed } = parseCheckpoint(utf8(note));
  const good = verifyNote(
    parsed,
    signers.map((signer) => signer.key),
  );
  const missing = signers.find(
    (signer) => !good.some(({ key }) => key.id === signer.key.id && key.name === signer.key.name),
  );
  const named = checkpoint.origin === wanted.origin && checkpoint.size === wanted.size;
  const same = named && equalBytes(checkpoint.root, wanted.root);
  if (missing !== undefined || !same) {
    throw new LedgerError("signing-refused", `the signature of ${missing?.key.name ?? wanted.origin} is not one`);
  }
}

/**
 * The stored checkpoint as a writer needs it: with `fault`, it cannot be trusted. LedgerError `wrong-origin` when it is another
 * ledger's.
 */
export async function readOwnCheckpoint(
  files: Files,
  dir: string,
  origin: string,
  signers: readonly NoteSigner[],
): Promise<{ signed?: SignedCheckpoint; fault?: string }> {
  let signed: SignedCheckpoint | undefined;
  try {
    signed = await readCheckpointFile(files, dir);
  } catch (error) {
    if (error instanceof EvidenceError) {
      return { fault: `the stored checkpoint cannot be read: ${error.message}` };
    }
    throw error;
  }
  if (signed === undefined) return {};
  if (signed.checkpoint.origin !== origin) {
    throw new LedgerError("wrong-origin", `${dir} holds the ledger ${signed.checkpoint.origin}, not ${origin}`, {
      hint: "use that origin, or another folder",
    });
  }
  const fault = faultOfNote(signed.note, signers);
  return fault === undefined ? { signed } : { signed, fault: `the stored checkpoint does not verify: ${fault}` };
}
