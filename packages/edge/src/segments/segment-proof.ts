import {
  asHash,
  type CborValue,
  decodeCbor,
  EvidenceError,
  encodeCbor,
  type Hash,
  isCborList,
  isCborMap,
} from "@tally/evidence";
import type { LogReader, SignedCheckpoint } from "@tally/ledger";
import { EdgeError } from "../error.ts";

/** What proves a segment's rows: its range of the ledger, whole, under a checkpoint that the device signed. */
export interface SegmentProof {
  readonly origin: string;
  /** Entries [from, to). */
  readonly from: number;
  readonly to: number;
  /** The complete note. */
  readonly checkpoint: string;
  readonly entries: readonly Uint8Array[];
  /** Range proof: perfect subtrees left of `from`, and from `to` on, to the checkpoint's size. */
  readonly left: readonly Hash[];
  readonly right: readonly Hash[];
  /** Entries outside the range that rows need: genesis, and the loads that records name. */
  readonly others: readonly ProvenEntry[];
}

export interface ProvenEntry {
  readonly index: number;
  readonly entry: Uint8Array;
  /** Inclusion proof under the checkpoint, from the leaf's sibling upward. */
  readonly proof: readonly Hash[];
}

/** Gathers the proof of [from, to) under a checkpoint of the ledger, with the entries at `others` beside it. */
export async function gatherProof(
  ledger: LogReader,
  { checkpoint, note }: SignedCheckpoint,
  [from, to]: readonly [number, number],
  others: readonly number[],
): Promise<SegmentProof> {
  const { left, right } = await ledger.rangeProof(from, to, checkpoint.size);
  const outside = others.filter((index) => index < from || index >= to).sort((a, b) => a - b);
  return {
    origin: ledger.origin,
    from,
    to,
    checkpoint: note,
    entries: await Array.fromAsync(ledger.entries(from, to)),
    left,
    right,
    others: await Promise.all(
      outside.map(async (index) => ({
        index,
        entry: await ledger.entry(index),
        proof: await ledger.inclusionProof(index, checkpoint.size),
      })),
    ),
  };
}

/** The bytes of `proof.cbor` (docs/segments.md). */
export function encodeProof(proof: SegmentProof): Uint8Array {
  const { origin, from, to, checkpoint, entries, left, right, others } = proof;
  return encodeCbor(
    new Map<number, CborValue>([
      [0, 1],
      [1, origin],
      [2, from],
      [3, to],
      [4, checkpoint],
      [5, entries],
      [6, left],
      [7, right],
      [8, others.map((other) => [other.index, other.entry, other.proof])],
    ]),
  );
}

/** @throws EdgeError `segment-invalid` naming the key */
export function decodeProof(bytes: Uint8Array): SegmentProof {
  try {
    const map = decodeCbor(bytes);
    if (!isCborMap(map) || map.get(0) !== 1) throw wrong(0, "format version 1");
    return Object.freeze({
      origin: text(map.get(1), 1),
      from: count(map.get(2), 2),
      to: count(map.get(3), 3),
      checkpoint: text(map.get(4), 4),
      entries: list(map.get(5), 5).map((entry) => byteString(entry, 5)),
      left: hashes(map.get(6), 6),
      right: hashes(map.get(7), 7),
      others: list(map.get(8), 8).map((item) => {
        const [index, entry, proof] = list(item, 8);
        return { index: count(index, 8), entry: byteString(entry, 8), proof: hashes(proof, 8) };
      }),
    });
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new EdgeError("segment-invalid", `proof.cbor cannot be read: ${cause.message}`, { cause });
  }
}

type Read = CborValue | undefined;

function list(value: Read, key: number): readonly CborValue[] {
  if (!isCborList(value)) throw wrong(key, "a list");
  return value;
}

function hashes(value: Read, key: number): readonly Hash[] {
  return list(value, key).map((hash) => asHash(byteString(hash, key)));
}

function byteString(value: Read, key: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrong(key, "bytes");
  return value;
}

function text(value: Read, key: number): string {
  if (typeof value !== "string") throw wrong(key, "text");
  return value;
}

function count(value: Read, key: number): number {
  if (typeof value !== "number" || value < 0) throw wrong(key, "an unsigned integer");
  return value;
}

function wrong(key: number, expected: string): EdgeError {
  return new EdgeError("segment-invalid", `proof.cbor: key ${key} is not ${expected}`);
}
