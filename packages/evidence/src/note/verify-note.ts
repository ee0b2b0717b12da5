import { verifyEcdsa, verifyEd25519, verifyMlDsa44 } from "#crypto";
import { utf8 } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { type Checkpoint, parseCheckpointText } from "./checkpoint.ts";
import { checkpointMessage, cosignatureV1Message, splitTimestamped } from "./cosignature.ts";
import type { NoteKey } from "./note-key.ts";
import type { NoteSignature, SignedNote } from "./signed-note.ts";

/** A signature that verified. */
export interface VerifiedSignature {
  readonly key: NoteKey;
  /** POSIX seconds that a cosignature states; null for types 1 and 2, and for type 6 with 0, which states no time. */
  readonly time: number | null;
}

/**
 * Verifies the signatures that these keys made. Lines of other keys are ignored, as C2SP signed-note demands, so a
 * signature counts only if it is in the result. A key that signed twice is there twice.
 *
 * @throws EvidenceError `signature-invalid` if a known key's signature does not verify, `signature-missing` if there is
 *   none of a known key
 */
export function verifyNote(note: SignedNote, keys: readonly NoteKey[]): VerifiedSignature[] {
  const verified: VerifiedSignature[] = [];
  for (const line of note.signatures) {
    const candidates = keys.filter((key) => key.name === line.name && key.id === line.id);
    if (candidates.length === 0) continue;
    const good = firstThatVerifies(candidates, note.text, line);
    if (good === undefined) {
      throw new EvidenceError("signature-invalid", `the signature of ${line.name} on the note does not verify`);
    }
    verified.push(good);
  }
  if (verified.length === 0) {
    const names = [...new Set(keys.map((key) => key.name))].join(", ");
    throw new EvidenceError(
      "signature-missing",
      `the note carries no signature of ${names || "any key: none was given"}`,
    );
  }
  return verified;
}

function firstThatVerifies(keys: NoteKey[], text: string, line: NoteSignature): VerifiedSignature | undefined {
  for (const key of keys) {
    const time = verifyLine(key, text, line.signature);
    if (time !== undefined) return Object.freeze({ key, time });
  }
  return undefined;
}

/** The time that the signature states, null if it states none, undefined if it does not verify. */
function verifyLine(key: NoteKey, text: string, body: Uint8Array): number | null | undefined {
  if (key.type === 1) return verifyEd25519(key.publicKey, utf8(text), body) ? null : undefined;
  if (key.type === 2) return verifyEcdsa(key.publicKey, "sha256", utf8(text), body) ? null : undefined;
  const cosignature = splitTimestamped(body);
  if (cosignature === undefined) return undefined;
  const { time, signature } = cosignature;
  if (key.type === 4) {
    return verifyEd25519(key.publicKey, cosignatureV1Message(text, time), signature) ? time : undefined;
  }
  const checkpoint = checkpointOf(text);
  if (checkpoint === undefined) return undefined;
  const good = verifyMlDsa44(key.publicKey, checkpointMessage(key, checkpoint, time), signature);
  if (!good) return undefined;
  return time === 0 ? null : time;
}

/** Type 6 signs a checkpoint's fields, so it can sign no other text. */
function checkpointOf(text: string): Checkpoint | undefined {
  try {
    const checkpoint = parseCheckpointText(text);
    return utf8(checkpoint.origin).length <= 255 ? checkpoint : undefined;
  } catch {
    return undefined;
  }
}
