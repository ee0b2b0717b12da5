import {
  type Checkpoint,
  concatBytes,
  type Hash,
  hashPacked,
  rootOfPacked,
  verifySubtreeConsistency,
} from "@tally/evidence";
import type { LogReader } from "../log-reader.ts";
import type { EntryPackage } from "./upload-body.ts";

/** A package whose entries are proven to be in a signed tree. */
export interface VerifiedPackage extends EntryPackage {
  /** Leaf hashes of its entries, concatenated. */
  readonly level0: Uint8Array;
  /** Root of the subtree [aligned, end). */
  readonly root: Hash;
}

/**
 * Proves a package against a signed checkpoint (C2SP tlog-mirror): recomputes the subtree [aligned, end) from the entries
 * received and those already stored before them, and verifies that it belongs to the tree.
 * EvidenceError `proof-invalid` when it does not.
 */
export async function verifyPackage(
  received: EntryPackage,
  tree: Checkpoint,
  stored: Pick<LogReader, "leafHashes">,
): Promise<VerifiedPackage> {
  const { aligned, start, end, packed, proof } = received;
  const level0 = hashPacked(packed);
  const before = start > aligned ? await Array.fromAsync(stored.leafHashes(aligned, start)) : [];
  const root = rootOfPacked(before.length === 0 ? level0 : concatBytes(...before, level0));
  verifySubtreeConsistency(aligned, end, tree.size, root, tree.root, [...proof]);
  return { ...received, level0, root };
}
