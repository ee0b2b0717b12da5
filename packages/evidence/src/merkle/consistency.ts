import { equalBytes } from "../bytes.ts";
import type { Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { emptyRoot, hashNode } from "./hashing.ts";
import { checkSubtree } from "./subtree.ts";

/**
 * Checks that the tree of `size2` leaves begins with the tree of `size1` leaves (RFC 9162 section 2.1.4.2).
 *
 * @param size1 at least 1: every tree begins with the empty one, and no proof is needed to say so
 * @throws EvidenceError `proof-invalid`
 */
export function verifyConsistency(
  size1: number,
  size2: number,
  root1: Hash,
  root2: Hash,
  proof: readonly Hash[],
): void {
  if (size1 === 0)
    throw new EvidenceError("proof-invalid", "there is no consistency proof from a tree without entries");
  verifySubtreeConsistency(0, size1, size2, root1, root2, proof);
}

/**
 * Checks that the subtree [start, end) with this root is part of the tree of `size` leaves with that root
 * (draft-ietf-plants-merkle-tree-certs section 4.4). An empty subtree is part of every tree.
 *
 * @throws EvidenceError `proof-invalid`
 */
export function verifySubtreeConsistency(
  start: number,
  end: number,
  size: number,
  subtreeRoot: Hash,
  root: Hash,
  proof: readonly Hash[],
): void {
  checkSubtree(start, end, size, "proof-invalid");
  if (start === end) {
    if (proof.length > 0) throw wrongLength(start, end, size);
    if (!equalBytes(subtreeRoot, emptyRoot)) {
      throw new EvidenceError("proof-invalid", "the root of an empty subtree is not that of the empty tree");
    }
    return;
  }
  const computed = recompute(start, end, size, subtreeRoot, proof);
  if (!equalBytes(computed.subtree, subtreeRoot)) {
    throw new EvidenceError("proof-invalid", `the proof for ${range(start, end, size)} leads to another smaller root`);
  }
  if (!equalBytes(computed.root, root)) {
    throw new EvidenceError("proof-invalid", `the proof for ${range(start, end, size)} leads to another larger root`);
  }
}

/**
 * The two roots that a consistency proof recomputes, whatever the signed ones are. A proof that leads to the larger
 * signed root and to a smaller root other than the signed one shows that the signer signed two histories. `root1` enters
 * only where `size1` is a power of two (the proof then leaves that node out) or equals `size2`.
 *
 * @throws EvidenceError `proof-invalid` if the proof does not have the shape for these sizes
 */
export function consistencyRoots(
  size1: number,
  size2: number,
  proof: readonly Hash[],
  root1: Hash,
): { root1: Hash; root2: Hash } {
  checkSubtree(0, size1, size2, "proof-invalid");
  if (size1 === 0)
    throw new EvidenceError("proof-invalid", "there is no consistency proof from a tree without entries");
  const computed = recompute(0, size1, size2, root1, proof);
  return { root1: computed.subtree, root2: computed.root };
}

function recompute(
  start: number,
  end: number,
  size: number,
  known: Hash,
  proof: readonly Hash[],
): { subtree: Hash; root: Hash } {
  // Numbers of the subtree's first node, its last node and the tree's last node on the level reached.
  let first = start;
  let last = end - 1;
  let end2 = size - 1;
  const rise = () => {
    first = Math.floor(first / 2);
    last = Math.floor(last / 2);
    end2 = Math.floor(end2 / 2);
  };
  if (last === end2) {
    while (first !== last) rise();
  } else {
    while (first !== last && last % 2 === 1) rise();
  }
  // Where the subtree is a single node here, that node is its root; otherwise the proof begins with its last perfect part.
  let rest = proof;
  let subtree = known;
  if (first !== last) {
    if (proof.length === 0) throw wrongLength(start, end, size);
    subtree = proof[0]!;
    rest = proof.slice(1);
  }
  let root = subtree;
  for (const hash of rest) {
    if (end2 === 0) throw wrongLength(start, end, size);
    if (last % 2 === 1 || last === end2) {
      if (first < last) subtree = hashNode(hash, subtree);
      root = hashNode(hash, root);
      while (last % 2 === 0) rise();
    } else {
      root = hashNode(root, hash);
    }
    rise();
  }
  if (end2 !== 0) throw wrongLength(start, end, size);
  return { subtree, root };
}

function wrongLength(start: number, end: number, size: number): EvidenceError {
  return new EvidenceError("proof-invalid", `the proof for ${range(start, end, size)} has too few or too many hashes`);
}

function range(start: number, end: number, size: number): string {
  return start === 0 ? `sizes ${end} and ${size}` : `the subtree [${start}, ${end}) of a tree of ${size}`;
}
