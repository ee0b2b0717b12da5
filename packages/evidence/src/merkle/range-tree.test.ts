import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../bytes.ts";
import type { Hash } from "../digest.ts";
import { hashLeaf, perfectNodes, RangeTree, rangeProofNodes, rootOf } from "./index.ts";

const entries = Array.from({ length: 900 }, (_, i) => new Uint8Array(i % 7 === 0 ? 2000 + i : i % 200).fill(i));
const leaves = entries.map(hashLeaf);

function proofOf(lo: number, hi: number, size: number) {
  const nodes = rangeProofNodes(lo, hi, size);
  const hash = ({ level, index }: { level: number; index: number }): Hash =>
    rootOf(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
  return { left: nodes.left.map(hash), right: nodes.right.map(hash) };
}

/** Appends entries from a buffer that holds them one after another, as a member of a bundle does. */
function append(tree: RangeTree, lo: number, hi: number): void {
  const bytes = concatBytes(...entries.slice(lo, hi));
  let at = 0;
  for (const { length } of entries.slice(lo, hi)) {
    tree.append(bytes, at, at + length);
    at += length;
  }
}

const range = fc
  .tuple(fc.nat(900), fc.nat(900), fc.nat(900))
  .map((list) => list.sort((a, b) => a - b) as [number, number, number]);

test("entries of any range lead to the root that their leaf hashes have", () => {
  fc.assert(
    fc.property(range, ([lo, hi, size]) => {
      const tree = new RangeTree(lo, hi, size, proofOf(lo, hi, size));
      append(tree, lo, hi);
      tree.verify(rootOf(leaves.slice(0, size)));
    }),
    { numRuns: 150, examples: [[[0, 256, 256]], [[255, 513, 900]], [[256, 768, 800]], [[0, 0, 0]], [[7, 7, 9]]] },
  );
});

test("attack: an entry altered, left out, added or moved leads nowhere", () => {
  fc.assert(
    fc.property(range, fc.nat(), ([lo, hi, size], pick) => {
      fc.pre(lo < hi);
      const at = lo + (pick % (hi - lo));
      const root = rootOf(leaves.slice(0, size));
      const build = (list: readonly Uint8Array[]) => {
        const tree = new RangeTree(lo, hi, size, proofOf(lo, hi, size));
        for (const entry of list) tree.append(entry, 0, entry.length);
        tree.verify(root);
      };
      const honest = entries.slice(lo, hi);
      const broken = { code: "proof-invalid" };
      assert.throws(() => build(honest.with(at - lo, new Uint8Array(3).fill(255))), broken);
      assert.throws(() => build(honest.toSpliced(at - lo, 1)), broken);
      assert.throws(() => build(honest.toSpliced(at - lo, 0, honest[0]!)), broken);
      if (at > lo) assert.throws(() => build(honest.with(at - lo, honest[0]!).with(0, honest[at - lo]!)), broken);
    }),
    { numRuns: 60 },
  );
});

test("proofs of other shapes are refused before an entry is read", () => {
  const hash = leaves[0]!;
  for (const [lo, hi, size] of [
    [2, 1, 4],
    [0, 5, 4],
    [-1, 1, 4],
    [0, 1.5, 4],
  ] as const) {
    // biome-ignore format: triples
    assert.throws(() => new RangeTree(lo, hi, size, { left: [], right: [] }), { code: "proof-invalid" });
  }
  assert.equal(perfectNodes([0, 3]).length, 2);
  for (const left of [[], [hash], [hash, hash, hash]])
    assert.throws(() => new RangeTree(3, 4, 4, { left, right: [] }), { code: "proof-invalid" });
});
