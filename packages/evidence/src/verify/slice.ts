import { memberTypes, parseEntries, parseRangeProof } from "../bundle/index.ts";
import type { Hash, LeafHash, RootHash } from "../digest.ts";
import { decodeEntry, type Entry } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { hashLeaf, verifyRange } from "../merkle/index.ts";
import { Missing } from "./check.ts";
import type { Materials } from "./materials.ts";

/** An entry of a log, proven to be in the tree under one of its heads. */
export interface ProvenEntry {
  readonly index: number;
  readonly entry: Entry;
  readonly leaf: LeafHash;
}

/** Consecutive entries [from, to) of one log, none left out. */
export interface Slice {
  readonly from: number;
  readonly to: number;
  readonly entries: readonly ProvenEntry[];
}

/**
 * Reads a log's slice and proves its place in the tree of that size.
 *
 * @returns undefined where the bundle holds none for this log
 * @throws Missing, EvidenceError `proof-invalid`, or what a malformed entry gives
 */
export function readSlice(origin: string, size: number, root: RootHash, materials: Materials): Slice | undefined {
  const [member] = materials.of(memberTypes.rangeProof, origin);
  if (member === undefined) return undefined;
  materials.use(member);
  const { from, to, size: proven, left, right } = parseRangeProof(member.bytes);
  if (proven !== size) throw broken(`the proof is for size ${proven}, the head that counts has ${size}`);
  const entries: ProvenEntry[] = [];
  for (const part of materials.of(memberTypes.entries, origin)) {
    const { from: start, items } = parseEntries(part.bytes);
    if (start > from + entries.length) throw new Missing(`entries from ${from + entries.length} on are missing`);
    if (start < from + entries.length) throw broken(`entries from ${start} on are there twice`);
    materials.use(part);
    for (const bytes of items) {
      entries.push({ index: from + entries.length, entry: decodeEntry(bytes), leaf: hashLeaf(bytes) });
    }
  }
  if (from + entries.length < to) throw new Missing(`entries from ${from + entries.length} on are missing`);
  const leaves = entries.map(({ leaf }): Hash => leaf);
  verifyRange(from, to, size, leaves, { left, right }, root);
  return { from, to, entries };
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
