import {
  asHash,
  digestOf,
  equalBytes,
  fromBase64,
  type KeySet,
  parseCheckpoint,
  type RotationRequest,
  utf8,
  verifyAllOf,
  verifyConsistency,
} from "@tally/evidence";
import type { MirroredLog } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import { type DeviceRow, decodeKeySet } from "./device-row.ts";
import { newestKeySet } from "./key-sets.ts";
import { requireKeys } from "./read-enrolment.ts";

/** A handover that holds: from this size on the new keys sign. */
export interface Rotation {
  readonly fromSize: number;
  readonly keySet: KeySet;
}

/**
 * Checks a handover of keys (evidence.md 2): one checkpoint that the old keys and the new ones have signed, of this very
 * ledger, above everything that the old ones have signed alone. Its note is kept before anything else.
 *
 * @returns undefined where the new keys are the ledger's already.
 * @throws PlaneError `bad-request`
 */
export async function checkRotation(
  request: RotationRequest,
  row: DeviceRow,
  log: MirroredLog | undefined,
  { db, blobs }: { readonly db: Database; readonly blobs: BlobStore },
): Promise<Rotation | undefined> {
  const encoded = await newestKeySet(db, row);
  try {
    const wanted = fromBase64(request.keySet);
    if (equalBytes(wanted, encoded)) return undefined;
    const keySet = decodeKeySet(wanted);
    requireKeys(keySet);
    const bytes = utf8(request.checkpoint);
    const { note, checkpoint } = parseCheckpoint(bytes);
    for (const set of [decodeKeySet(encoded), keySet]) verifyAllOf(note, row.origin, set);
    const held = log?.pending?.checkpoint;
    if (held === undefined) throw new Error("nothing of the ledger has arrived yet: sync it first");
    const { size, root } = checkpoint;
    if (size <= held.size)
      throw new Error(`the old keys have signed size ${held.size} already, the handover is at ${size}`);
    if (request.old !== held.size)
      throw new Error(`the proof is from size ${request.old}, the plane holds ${held.size}`);
    const proof = request.proof.map((hash) => asHash(fromBase64(hash)));
    verifyConsistency(held.size, size, held.root, root, proof);
    await blobs.put(digestOf(bytes), bytes);
    await db.run(
      "INSERT INTO handover (origin, size, note) VALUES (?, ?, ?) ON CONFLICT (origin, size) DO UPDATE SET note = excluded.note",
      [row.origin, size, digestOf(bytes)],
    );
    return { fromSize: size, keySet };
  } catch (cause) {
    throw new PlaneError("bad-request", `the handover of keys does not hold: ${(cause as Error).message}`, { cause });
  }
}
