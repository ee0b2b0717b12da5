import {
  decodeEntry,
  type EnrollRequest,
  equalBytes,
  fromBase64,
  hashLeaf,
  type KeySet,
  type LeafHash,
  parseCheckpoint,
  utf8,
  verifyAllOf,
} from "@tally/evidence";
import { PlaneError } from "../error.ts";

/** A device that has shown that it holds the keys of its first entry. */
export interface AdmittedDevice {
  readonly origin: string;
  readonly deviceId: string;
  /** The genesis entry's bytes. */
  readonly genesis: Uint8Array;
  readonly genesisHash: LeafHash;
  readonly keySet: KeySet;
}

/** Reads an enrolment and checks that it holds together. @throws PlaneError `bad-request` */
export function readEnrolment(plane: string, request: EnrollRequest): AdmittedDevice {
  const { deviceId, origin, genesis: encoded, checkpoint: signed } = request;
  try {
    const genesis = fromBase64(encoded);
    const entry = decodeEntry(genesis);
    if (entry.kind !== "genesis") throw new Error(`the first entry is ${entry.kind}, not genesis`);
    if (origin !== `${plane}/d/${deviceId}/0` || entry.deviceId !== deviceId || entry.epoch !== 0) {
      throw new Error(`the origin is not ${plane}/d/<device id>/0`);
    }
    if (entry.plane !== plane) throw new Error(`the genesis entry names plane ${entry.plane}, this is ${plane}`);
    requireKeys(entry.keySet);
    const { note, checkpoint } = parseCheckpoint(utf8(signed));
    verifyAllOf(note, origin, entry.keySet);
    const genesisHash = hashLeaf(genesis);
    if (checkpoint.size !== 1 || !equalBytes(checkpoint.root, genesisHash)) {
      throw new Error("the checkpoint is not of the genesis entry alone");
    }
    return { origin, deviceId: entry.deviceId, genesis, genesisHash, keySet: entry.keySet };
  } catch (cause) {
    throw new PlaneError("bad-request", `the enrolment does not hold: ${(cause as Error).message}`, { cause });
  }
}

/** A classical key, which also opens sessions, and ML-DSA-44 (evidence.md 2); more would only cost verifying. */
export function requireKeys(keySet: KeySet): void {
  const classical = keySet.filter(({ type }) => type === 1 || type === 2).length;
  const postQuantum = keySet.filter(({ type }) => type === 6).length;
  if (classical === 1 && postQuantum === 1 && keySet.length === 2) return;
  throw new Error("the key set is not one Ed25519 or ECDSA key and one ML-DSA-44 key");
}
