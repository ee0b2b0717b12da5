// C2SP tlog-checkpoint, without extension lines: type 06 does not sign them.
//
//     example.com/behind-the-sofa
//     20852163
//     CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
import { fromBase64, toBase64 } from "../bytes.ts";
import { asRootHash, type RootHash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { parseDecimal } from "./decimal.ts";
import { parseNote, type SignedNote } from "./signed-note.ts";

/** What a log says about itself: its name, how many entries it has, and the root of the tree over them. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: RootHash;
}

/**
 * Reads the text of a checkpoint, three lines and nothing more.
 *
 * @throws EvidenceError `checkpoint-invalid`
 */
export function parseCheckpointText(text: string): Checkpoint {
  const [origin, size, root, end, ...more] = text.split("\n");
  if (origin === undefined || size === undefined || root === undefined || end === undefined) {
    throw invalid("it does not have three lines");
  }
  if (end !== "" || more.length > 0) throw invalid("it has extension lines, which no signature of type 06 covers");
  if (origin === "") throw invalid("its origin is empty");
  try {
    return Object.freeze({ origin, size: parseDecimal(size), root: asRootHash(fromBase64(root)) });
  } catch (cause) {
    throw invalid(`its size or root is not written as it must be`, cause);
  }
}

/** Writes the text that signatures cover, with its last newline. */
export function formatCheckpointText(checkpoint: Checkpoint): string {
  const { origin, size, root } = checkpoint;
  if (origin === "" || origin.includes("\n")) throw invalid(`"${origin.slice(0, 60)}" is not an origin`);
  if (!Number.isSafeInteger(size) || size < 0) throw invalid(`${size} is not the size of a tree`);
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/**
 * Reads a signed checkpoint. No signature is verified.
 *
 * @throws EvidenceError `note-invalid` or `checkpoint-invalid`
 */
export function parseCheckpoint(note: Uint8Array | string): { checkpoint: Checkpoint; note: SignedNote } {
  const parsed = parseNote(note);
  return { checkpoint: parseCheckpointText(parsed.text), note: parsed };
}

function invalid(why: string, cause?: unknown): EvidenceError {
  return new EvidenceError("checkpoint-invalid", `this is not a checkpoint: ${why}`, { cause });
}
