import { type Checkpoint, hashLeaf, type LeafHash, rootOf, verifySubtreeConsistency } from "@tally/evidence";
import type { LogReader } from "../log-reader.ts";
import type { EntryPackage } from "./upload-body.ts";

/** A package whose entries are proven to be in a signed tree. */
export interface VerifiedPackage extends EntryPackage {
  /** Leaf hashes of `entries`. */
  readonly leaves: readonly LeafHash[];
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
  const { aligned, start, end, entries, proof } = received;
  const leaves = entries.map((entry) => hashLeaf(entry));
  const before = start > aligned ? await Array.fromAsync(stored.leafHashes(aligned, start)) : [];
  const subtree = rootOf([...before, ...leaves]);
  verifySubtreeConsistency(aligned, end, tree.size, subtree, tree.root, [...proof]);
  return { ...received, leaves };
}
