import { equalBytes } from "../bytes.ts";
import type { Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { Frontier } from "./frontier.ts";
import { type NodeId, perfectNodes } from "./ranges.ts";

/** Hashes of the perfect subtrees to the left and to the right of a range of entries. */
export interface RangeProof {
  readonly left: readonly Hash[];
  readonly right: readonly Hash[];
}

/**
 * The nodes that prove the entries [lo, hi) to be consecutive entries of a tree of `size` leaves: what makes up [0, lo)
 * and what makes up [hi, size), left to right. At most two hashes a level, however long the range.
 *
 * @throws EvidenceError `range-invalid`
 */
export function rangeProofNodes(lo: number, hi: number, size: number): { left: NodeId[]; right: NodeId[] } {
  if (!(lo <= hi)) throw new EvidenceError("range-invalid", `[${lo}, ${hi}) is not a range of leaves`);
  return { left: perfectNodes([0, lo]), right: perfectNodes([hi, size]) };
}

/**
 * Checks that these leaf hashes are the entries [lo, hi) of the tree with `size` leaves and this root: the tree is built
 * anew from the left nodes, the leaves and the right nodes. The positions follow from the three numbers alone.
 *
 * @throws EvidenceError `proof-invalid`
 */
export function verifyRange(
  lo: number,
  hi: number,
  size: number,
  leafHashes: Iterable<Hash>,
  proof: RangeProof,
  root: Hash,
): void {
  const where = `entries [${lo}, ${hi}) of a tree of ${size}`;
  const nodes = rangePositions(lo, hi, size, where);
  if (proof.left.length !== nodes.left.length || proof.right.length !== nodes.right.length) {
    throw new EvidenceError("proof-invalid", `the proof of ${where} has too few or too many hashes`);
  }
  const frontier = Frontier.from(lo, proof.left);
  for (const leaf of leafHashes) {
    if (frontier.size === hi) throw new EvidenceError("proof-invalid", `there are more leaves than ${where}`);
    frontier.append(leaf);
  }
  if (frontier.size !== hi) throw new EvidenceError("proof-invalid", `there are fewer leaves than ${where}`);
  nodes.right.forEach((node, i) => {
    frontier.appendSubtree(node.level, proof.right[i]!);
  });
  if (!equalBytes(frontier.root(), root)) {
    throw new EvidenceError("proof-invalid", `the proof of ${where} leads to another root`);
  }
}

/** The same nodes, for who verifies. @throws EvidenceError `proof-invalid` */
export function rangePositions(
  lo: number,
  hi: number,
  size: number,
  where: string,
): { left: NodeId[]; right: NodeId[] } {
  try {
    return rangeProofNodes(lo, hi, size);
  } catch (cause) {
    throw new EvidenceError("proof-invalid", `there are no ${where}`, { cause });
  }
}
