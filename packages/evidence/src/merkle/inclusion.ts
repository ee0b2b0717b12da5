import { equalBytes } from "../bytes.ts";
import type { Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { hashNode } from "./hashing.ts";
import { checkSubtree } from "./subtree.ts";

/**
 * Checks that the leaf is at `index` of the tree with `size` leaves and this root (RFC 9162 section 2.1.3.2).
 *
 * @param proof hashes from the leaf's sibling upward
 * @throws EvidenceError `proof-invalid`
 */
export function verifyInclusion(index: number, size: number, leaf: Hash, proof: readonly Hash[], root: Hash): void {
  verifySubtreeInclusion(index, 0, size, leaf, proof, root);
}

/**
 * Checks that the leaf is at `index` of the tree whose subtree [start, end) has this root
 * (draft-ietf-plants-merkle-tree-certs section 4.3).
 *
 * @throws EvidenceError `proof-invalid`
 */
export function verifySubtreeInclusion(
  index: number,
  start: number,
  end: number,
  leaf: Hash,
  proof: readonly Hash[],
  root: Hash,
): void {
  if (!equalBytes(climb(index, start, end, leaf, proof), root)) {
    throw new EvidenceError("proof-invalid", `the proof of ${placeOf(index, start, end)} leads to another root`);
  }
}

/**
 * The root that the proof leads to, for who has none to compare with but a signature over it.
 *
 * @throws EvidenceError `proof-invalid` where the proof is not of that place
 */
export function inclusionRoot(index: number, size: number, leaf: Hash, proof: readonly Hash[]): Hash {
  return climb(index, 0, size, leaf, proof);
}

function climb(index: number, start: number, end: number, leaf: Hash, proof: readonly Hash[]): Hash {
  checkSubtree(start, end, end, "proof-invalid");
  if (!Number.isSafeInteger(index) || index < start || index >= end) {
    throw new EvidenceError("proof-invalid", `index ${index} is not in [${start}, ${end})`);
  }
  const where = placeOf(index, start, end);
  let at = index - start;
  let last = end - start - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) throw new EvidenceError("proof-invalid", `the proof of ${where} has too many hashes`);
    if (at % 2 === 1 || at === last) {
      hash = hashNode(sibling, hash);
      // The last node of an odd level has no sibling there and rises until it has one.
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = hashNode(hash, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw new EvidenceError("proof-invalid", `the proof of ${where} has too few hashes`);
  return hash;
}

function placeOf(index: number, start: number, end: number): string {
  return start === 0 ? `entry ${index} in a tree of ${end}` : `entry ${index} in the subtree [${start}, ${end})`;
}
