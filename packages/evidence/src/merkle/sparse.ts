import { equalBytes } from "../bytes.ts";
import type { Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { hashNode } from "./hashing.ts";
import type { HashRange } from "./ranges.ts";
import { powerNotBelow } from "./subtree.ts";

/**
 * The ranges whose hashes prove several entries at once to be in the tree of `size` leaves: the largest subtrees of RFC 9162
 * that hold none of them, from left to right.
 *
 * @param indices ascending, each once
 * @throws EvidenceError `range-invalid`
 */
export function sparseRanges(indices: readonly number[], size: number): HashRange[] {
  check(indices, size, "range-invalid");
  const ranges: HashRange[] = [];
  walk(indices, size, (lo, hi) => ranges.push([lo, hi]));
  return ranges;
}

/**
 * Checks that the leaves are at these indices of the tree with `size` leaves and this root.
 *
 * @param proof hashes of `sparseRanges`
 * @throws EvidenceError `proof-invalid`
 */
export function verifySparse(
  indices: readonly number[],
  leaves: readonly Hash[],
  size: number,
  proof: readonly Hash[],
  root: Hash,
): void {
  check(indices, size, "proof-invalid");
  if (leaves.length !== indices.length) throw invalid("there is not one leaf for each index");
  let [nextLeaf, nextHash] = [0, 0];
  const fold = (from: number, to: number, lo: number, hi: number): Hash => {
    if (from === to) {
      const hash = proof[nextHash++];
      if (hash === undefined) throw invalid("the proof has too few hashes");
      return hash;
    }
    if (hi - lo === 1) return leaves[nextLeaf++]!;
    const middle = lo + powerNotBelow(hi - lo) / 2;
    const split = firstFrom(indices, from, to, middle);
    const left = fold(from, split, lo, middle);
    return hashNode(left, fold(split, to, middle, hi));
  };
  const computed = fold(0, indices.length, 0, size);
  if (nextHash !== proof.length) throw invalid("the proof has too many hashes");
  if (!equalBytes(computed, root))
    throw invalid(`the proof of ${indices.length} entries of ${size} leads to another root`);
}

function walk(indices: readonly number[], size: number, without: (lo: number, hi: number) => void): void {
  const visit = (from: number, to: number, lo: number, hi: number): void => {
    if (from === to) without(lo, hi);
    else if (hi - lo > 1) {
      const middle = lo + powerNotBelow(hi - lo) / 2;
      const split = firstFrom(indices, from, to, middle);
      visit(from, split, lo, middle);
      visit(split, to, middle, hi);
    }
  };
  visit(0, indices.length, 0, size);
}

/** The first position in [from, to) whose index is not below `least`. */
function firstFrom(indices: readonly number[], from: number, to: number, least: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (indices[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function check(indices: readonly number[], size: number, code: "range-invalid" | "proof-invalid"): void {
  const ascending = indices.every((index, i) => Number.isSafeInteger(index) && index > (indices[i - 1] ?? -1));
  if (Number.isSafeInteger(size) && indices.length > 0 && ascending && indices.at(-1)! < size) return;
  throw new EvidenceError(code, `these are not indices of a tree with ${size} leaves, ascending and each once`);
}

function invalid(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
