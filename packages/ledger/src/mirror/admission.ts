import { type KeySet, type NoteKey, noteKey, verifyAllOf } from "@tally/evidence";
import type { CheckpointOffer } from "../witness/add-checkpoint-body.ts";
import { ownNote } from "../witness/own-note.ts";
import { type ProtocolResponse, refusal } from "../witness/response.ts";

/**
 * What the mirror's owner says about an origin: the keys that must all sign its checkpoints, or why there is no way in.
 * `undefined` and `awaiting` answer 404: the origin is not, or not yet, mirrored here. `blocked` answers 403;
 * where it comes with keys, `judged`, a checkpoint that they signed is looked at all the same: it may contradict what is held.
 */
export type Admission =
  | KeySet
  | undefined
  | { readonly blocked: string; readonly judged?: KeySet }
  | { readonly awaiting: string };

/** Asked anew for every request. `size` is that of the checkpoint, as key sets hold for ranges of sizes. */
export type KeySetSource = (origin: string, size: number) => Admission | Promise<Admission>;

/** The key set of an origin, or the answer that turns it away. */
export function admit(origin: string, admission: Admission): { keySet: KeySet } | { refused: ProtocolResponse } {
  if (admission === undefined) return { refused: refusal(404, `${origin} is not mirrored here`) };
  if ("blocked" in admission) return { refused: refusal(403, `${origin} is blocked: ${admission.blocked}`) };
  if ("awaiting" in admission) {
    return { refused: refusal(404, `${origin} is not mirrored here yet: ${admission.awaiting}`) };
  }
  return { keySet: admission };
}

/** The note with the signatures of all of the key set and no others. EvidenceError when one is missing or wrong. */
export function verifyOffer(offer: CheckpointOffer, keySet: KeySet): string {
  const { origin } = offer.checkpoint;
  verifyAllOf(offer.note, origin, keySet);
  const keys: NoteKey[] = keySet.map(({ type, publicKey }) => noteKey(origin, type, publicKey));
  return ownNote(offer.note, keys);
}
