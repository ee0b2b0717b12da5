// What a proof consists of, before anything is read: ranges of leaves whose hashes the prover looks up. The recursions of
// RFC 9162 sections 2.1.3.1 and 2.1.4.1 and of draft-ietf-plants-merkle-tree-certs section 4.4.1 are walked from the root
// down; proofs list hashes from the leaf up.
import type { Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { hashNode } from "./hashing.ts";
import { checkSubtree, powerNotBelow } from "./subtree.ts";

/** Leaves from `lo` up to, but not including, `hi`. Its hash is the fold of its perfect nodes, from the right. */
export type HashRange = readonly [lo: number, hi: number];

/** The root of the perfect subtree over leaves [index·2^level, (index+1)·2^level). */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/**
 * The ranges whose hashes prove the entry at `index` to be in the tree of `size` leaves.
 *
 * @throws EvidenceError `range-invalid`
 */
export function inclusionRanges(index: number, size: number): HashRange[] {
  return subtreeConsistencyRanges(index, index + 1, size);
}

/**
 * The ranges whose hashes prove that the tree of `n` leaves begins with the tree of `m` leaves. None for m = 0.
 *
 * @throws EvidenceError `range-invalid`
 */
export function consistencyRanges(m: number, n: number): HashRange[] {
  return subtreeConsistencyRanges(0, m, n);
}

/**
 * The ranges whose hashes prove that [start, end) with its root is part of the tree of `n` leaves.
 *
 * @throws EvidenceError `range-invalid` unless [start, end) is a subtree of that tree
 */
export function subtreeConsistencyRanges(start: number, end: number, n: number): HashRange[] {
  checkSubtree(start, end, n, "range-invalid");
  if (start === end) return [];
  const ranges: HashRange[] = [];
  let lo = 0;
  let hi = n;
  let from = start;
  // Whether the part of the subtree that is looked for is all of it, so that the verifier knows its hash.
  let known = true;
  while (from !== lo || end !== hi) {
    const middle = lo + powerNotBelow(hi - lo) / 2;
    if (end <= middle) {
      ranges.push([middle, hi]);
      hi = middle;
    } else {
      ranges.push([lo, middle]);
      if (from < middle) known = false;
      from = Math.max(from, middle);
      lo = middle;
    }
  }
  if (!known) ranges.push([lo, hi]);
  return ranges.reverse();
}

/**
 * The perfect subtrees that make up the leaves [lo, hi), left to right, largest possible at each step.
 *
 * @throws EvidenceError `range-invalid`
 */
export function perfectNodes([lo, hi]: HashRange): NodeId[] {
  if (!Number.isSafeInteger(lo) || !Number.isSafeInteger(hi) || lo < 0 || hi < lo) {
    throw new EvidenceError("range-invalid", `[${lo}, ${hi}) is not a range of leaves`);
  }
  const nodes: NodeId[] = [];
  for (let at = lo; at < hi; ) {
    let level = 0;
    let width = 1;
    while (at % (2 * width) === 0 && at + 2 * width <= hi) {
      width *= 2;
      level++;
    }
    nodes.push({ level, index: at / width });
    at += width;
  }
  return nodes;
}

/** Looks up the nodes of each range, all at once, and folds them to the hashes of a proof, in order. */
export function proofFromRanges(
  ranges: readonly HashRange[],
  node: (level: number, index: number) => Hash | Promise<Hash>,
): Promise<Hash[]> {
  return Promise.all(
    ranges.map(async (range) => {
      const hashes = await Promise.all(perfectNodes(range).map(({ level, index }) => node(level, index)));
      return hashes.reduceRight((right, left) => hashNode(left, right));
    }),
  );
}
