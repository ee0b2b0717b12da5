import { EvidenceError } from "../error.ts";
import { type Checkpoint, parseCheckpointText } from "./checkpoint.ts";
import { type KeyType, noteKey, sameKey } from "./note-key.ts";
import type { SignedNote } from "./signed-note.ts";
import { verifyNote } from "./verify-note.ts";

/** The keys that must all sign each checkpoint of a log. */
export type KeySet = readonly { readonly type: KeyType; readonly publicKey: Uint8Array }[];

/**
 * Verifies a checkpoint of the log `origin` by every key of the set, each under the origin as its name. C2SP asks for one
 * known key; all are demanded here, so that a stolen file key cannot stand in for the one in hardware.
 *
 * @throws EvidenceError `checkpoint-invalid` for another origin, `signature-invalid`, `signature-missing`, `key-invalid`
 *   for an empty set
 */
export function verifyAllOf(note: SignedNote, origin: string, keySet: KeySet): Checkpoint {
  if (keySet.length === 0) throw new EvidenceError("key-invalid", `the key set of ${origin} is empty`);
  const checkpoint = parseCheckpointText(note.text);
  if (checkpoint.origin !== origin) {
    throw new EvidenceError("checkpoint-invalid", `the checkpoint is of ${checkpoint.origin}, not of ${origin}`);
  }
  const keys = keySet.map(({ type, publicKey }) => noteKey(origin, type, publicKey));
  const verified = verifyNote(note, keys);
  for (const key of keys) {
    if (!verified.some((signature) => sameKey(signature.key, key))) {
      throw new EvidenceError(
        "signature-missing",
        `the checkpoint of ${origin} is not signed by its type ${key.type} key`,
        {
          hint: "every key of the key set has to sign",
        },
      );
    }
  }
  return checkpoint;
}
