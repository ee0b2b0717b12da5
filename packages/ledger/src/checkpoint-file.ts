import { join } from "node:path";
import {
  type Checkpoint,
  EvidenceError,
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

/** Whether the note verifies under one of `signers` at least; a reason when not. An empty list verifies nothing and holds. */
export function faultOfNote(note: string, signers: readonly NoteSigner[]): string | undefined {
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
  const same = checkpoint.origin === wanted.origin && checkpoint.size === wanted.size;
  if (missing !== undefined || !same) {
    throw new LedgerError("signing-refused", `the signature of ${missing?.key.name ?? wanted.origin} is not one`);
  }
}
