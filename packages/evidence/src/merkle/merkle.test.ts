import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, toHex, utf8 } from "../bytes.ts";
import { type Hash, hashFromText, type RootHash } from "../digest.ts";
import {
  consistencyRanges,
  consistencyRoots,
  emptyRoot,
  Frontier,
  type HashRange,
  hashLeaf,
  hashLeafText,
  hashLevel,
  hashNode,
  inclusionRanges,
  perfectNodes,
  proofFromRanges,
  rangeProofNodes,
  rootOf,
  subtreeConsistencyRanges,
  verifyConsistency,
  verifyInclusion,
  verifyRange,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from "./index.ts";

const bad = { name: "EvidenceError", code: "proof-invalid" };
const leaves = Array.from({ length: 300 }, (_, i) => hashLeaf(utf8(`entry ${i}`)));

/** RFC 9162 section 2.1.1, word for word. */
function treeHash(entries: readonly Hash[]): RootHash {
  if (entries.length === 0) return emptyRoot;
  if (entries.length === 1) return entries[0] as RootHash;
  let k = 1;
  while (2 * k < entries.length) k *= 2;
  return hashNode(treeHash(entries.slice(0, k)), treeHash(entries.slice(k))) as RootHash;
}

function prove(ranges: readonly HashRange[]): Promise<Hash[]> {
  return proofFromRanges(ranges, node);
}

function node(level: number, index: number): Hash {
  return treeHash(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
}

function changed(hash: Hash): Hash {
  const other = hash.slice() as Uint8Array as Hash;
  other[7]! ^= 1;
  return other;
}

/** Every proof that differs from this one in a hash, by one hash too few, or by one too many. */
function* spoiled(proof: readonly Hash[]): Generator<Hash[]> {
  for (const i of proof.keys()) {
    yield proof.with(i, changed(proof[i]!));
    yield proof.toSpliced(i, 1);
    yield proof.toSpliced(i, 0, proof[i]!);
  }
  yield [...proof, leaves[0]!];
}

/** A size, and a subtree of a tree of that size as the draft defines one. */
const subtrees = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat(), fc.nat(), fc.nat()).map(([size, a, b, c]) => {
  const width = 2 ** (a % 9);
  const start = width * (b % Math.ceil(size / width));
  const end = start + 1 + (c % Math.min(width, size - start));
  return { start, end, size };
});

test("a leaf and the empty tree hash as RFC 6962 says, whatever an entry's length", () => {
  assert.equal(toHex(hashLeaf(new Uint8Array(0))), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  assert.equal(toHex(emptyRoot), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const lengths = [5000, 65_535, 3, 4096, 4095];
  const first = lengths.map((length) => toHex(hashLeaf(new Uint8Array(length))));
  const again = lengths.toReversed().map((length) => toHex(hashLeaf(new Uint8Array(length))));
  assert.deepEqual(again.toReversed(), first);
});

test("a frontier has the root of the tree at every size, and so has its copy", () => {
  const frontier = Frontier.empty();
  for (let size = 0; size < leaves.length; size++) {
    const expected = treeHash(leaves.slice(0, size));
    assert.deepEqual(frontier.root(), expected);
    assert.deepEqual(rootOf(leaves.slice(0, size)), expected);
    assert.deepEqual(Frontier.from(size, frontier.hashes).root(), expected);
    const copy = frontier.clone();
    copy.append(leaves[0]!);
    assert.equal(frontier.size, size);
    frontier.append(leaves[size]!);
  }
});

test("a frontier refuses hashes that do not make up its size and subtrees that do not fit there", () => {
  const refused = { name: "EvidenceError", code: "range-invalid" };
  assert.throws(() => Frontier.from(3, [leaves[0]!]), refused);
  assert.throws(() => Frontier.from(-1, []), refused);
  assert.throws(() => Frontier.from(1.5, [leaves[0]!]), refused);
  assert.throws(() => Frontier.from(1, [leaves[0]!]).appendSubtree(1, leaves[1]!), refused);
});

test("a planned inclusion proof verifies, and fails for any other hash, index, size or root", async () => {
  const cases = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat()).map(([size, i]) => ({ size, index: i % size }));
  const property = fc.asyncProperty(cases, fc.nat(), async ({ size, index }, salt) => {
    const root = treeHash(leaves.slice(0, size));
    const proof = await prove(inclusionRanges(index, size));
    verifyInclusion(index, size, leaves[index]!, proof, root);
    for (const other of spoiled(proof)) {
      assert.throws(() => verifyInclusion(index, size, leaves[index]!, other, root), bad);
    }
    const otherIndex = (index + 1 + (salt % size)) % (size + 1);
    if (otherIndex !== index) assert.throws(() => verifyInclusion(otherIndex, size, leaves[index]!, proof, root), bad);
    assert.throws(() => verifyInclusion(index, size, changed(leaves[index]!), proof, root), bad);
    assert.throws(() => verifyInclusion(index, size, leaves[index]!, proof, changed(root)), bad);
    for (const number of [-1, 0.5, Number.NaN, 2 ** 53]) {
      assert.throws(() => verifyInclusion(number, size, leaves[index]!, proof, root), bad);
      assert.throws(() => verifyInclusion(index, number, leaves[index]!, proof, root), bad);
    }
  });
  await fc.assert(property);
});

test("a planned consistency proof verifies between any two sizes, and fails for any other hash or root", async () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat()).map(([n, i]) => ({ n, m: 1 + (i % n) }));
  const property = fc.asyncProperty(sizes, async ({ m, n }) => {
    const [smaller, larger] = [treeHash(leaves.slice(0, m)), treeHash(leaves.slice(0, n))];
    const proof = await prove(consistencyRanges(m, n));
    verifyConsistency(m, n, smaller, larger, proof);
    assert.deepEqual(consistencyRoots(m, n, proof, smaller), { root1: smaller, root2: larger });
    for (const other of spoiled(proof)) assert.throws(() => verifyConsistency(m, n, smaller, larger, other), bad);
    assert.throws(() => verifyConsistency(m, n, changed(smaller), larger, proof), bad);
    assert.throws(() => verifyConsistency(m, n, smaller, changed(larger), proof), bad);
    if (m < n) assert.throws(() => verifyConsistency(n, m, larger, smaller, proof), bad);
  });
  await fc.assert(property);
});

test("consistency from size 0 is no proof, and says so", () => {
  assert.throws(() => verifyConsistency(0, 5, emptyRoot, rootOf(leaves.slice(0, 5)), []), bad);
});

test("an equivocating log's proof recomputes a smaller root other than the one it signed", async () => {
  const signedAt5 = rootOf([...leaves.slice(0, 4), leaves[100]!]);
  const signedAt9 = rootOf(leaves.slice(0, 9));
  const proof = await prove(consistencyRanges(5, 9));
  assert.throws(() => verifyConsistency(5, 9, signedAt5, signedAt9, proof), bad);
  const recomputed = consistencyRoots(5, 9, proof, signedAt5);
  assert.deepEqual(recomputed.root2, signedAt9);
  assert.notDeepEqual(recomputed.root1, signedAt5);
});

test("a planned subtree proof verifies, and fails for any other hash, root or place", async () => {
  const property = fc.asyncProperty(subtrees, fc.nat(), async ({ start, end, size }, i) => {
    const part = treeHash(leaves.slice(start, end));
    const root = treeHash(leaves.slice(0, size));
    const proof = await prove(subtreeConsistencyRanges(start, end, size));
    verifySubtreeConsistency(start, end, size, part, root, proof);
    for (const other of spoiled(proof)) {
      assert.throws(() => verifySubtreeConsistency(start, end, size, part, root, other), bad);
    }
    assert.throws(() => verifySubtreeConsistency(start, end, size, changed(part), root, proof), bad);
    assert.throws(() => verifySubtreeConsistency(start, end, size, part, changed(root), proof), bad);

    const index = start + (i % (end - start));
    const path = await prove(inclusionRanges(index - start, end - start).map(([lo, hi]) => [lo + start, hi + start]));
    verifySubtreeInclusion(index, start, end, leaves[index]!, path, part);
    for (const other of spoiled(path)) {
      assert.throws(() => verifySubtreeInclusion(index, start, end, leaves[index]!, other, part), bad);
    }
    assert.throws(() => verifySubtreeInclusion(end, start, end, leaves[index]!, path, part), bad);
  });
  await fc.assert(property);
});

test("an empty subtree is part of every tree, with the empty root and no proof", () => {
  assert.deepEqual(subtreeConsistencyRanges(4, 4, 8), []);
  verifySubtreeConsistency(4, 4, 8, emptyRoot, leaves[1]!, []);
  assert.throws(() => verifySubtreeConsistency(4, 4, 8, leaves[0]!, leaves[1]!, []), bad);
  assert.throws(() => verifySubtreeConsistency(4, 4, 8, emptyRoot, leaves[1]!, [leaves[0]!]), bad);
  assert.throws(() => verifySubtreeConsistency(9, 9, 8, emptyRoot, leaves[1]!, []), bad);
});

test("a range that is not a subtree is neither planned nor accepted", () => {
  const notSubtrees = [
    [1, 3, 8],
    [2, 5, 8],
    [4, 3, 8],
    [0, 9, 8],
    [-1, 1, 8],
    [0.5, 1, 8],
  ] as const;
  for (const [start, end, size] of notSubtrees) {
    assert.throws(() => subtreeConsistencyRanges(start, end, size), { code: "range-invalid" });
    assert.throws(() => verifySubtreeConsistency(start, end, size, leaves[0]!, leaves[1]!, []), bad);
  }
});

test("perfect nodes cover a range without gap, each where a tree has a node", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
      const [lo, hi] = [Math.min(a, b), Math.max(a, b)];
      let at = lo;
      for (const { level, index } of perfectNodes([lo, hi])) {
        assert.equal(index * 2 ** level, at);
        at += 2 ** level;
      }
      assert.equal(at, hi);
    }),
  );
});

test("proofs are planned for trees beyond 32 bits", () => {
  const size = 2 ** 40 + 5;
  assert.equal(inclusionRanges(2 ** 40 + 1, size).length, 4);
  assert.deepEqual(consistencyRanges(2 ** 40, size), [[2 ** 40, size]]);
  const frontier = Frontier.from(2 ** 40, [leaves[0]!]);
  for (const leaf of leaves.slice(1, 6)) frontier.append(leaf);
  verifyConsistency(2 ** 40, size, leaves[0]!, frontier.root(), [rootOf(leaves.slice(1, 6))]);
});

test("a range proof verifies exactly the entries of the range", () => {
  const ranges = fc
    .tuple(fc.integer({ min: 0, max: 300 }), fc.nat(), fc.nat())
    .map(([size, a, b]) => [a % (size + 1), b % (size + 1), size] as const)
    .map(([a, b, size]) => ({ lo: Math.min(a, b), hi: Math.max(a, b), size }));
  fc.assert(
    fc.property(ranges, ({ lo, hi, size }) => {
      const root = rootOf(leaves.slice(0, size));
      const entries = leaves.slice(lo, hi);
      const nodes = rangeProofNodes(lo, hi, size);
      const left = nodes.left.map(({ level, index }) => node(level, index));
      const right = nodes.right.map(({ level, index }) => node(level, index));
      const check = (part: Hash[], proof: { left: Hash[]; right: Hash[] }, at = lo) =>
        verifyRange(at, at + hi - lo, size, part, proof, root);

      check(entries, { left, right });
      for (const other of spoiled(left)) assert.throws(() => check(entries, { left: other, right }), bad);
      for (const other of spoiled(right)) assert.throws(() => check(entries, { left, right: other }), bad);
      for (const other of spoiled(entries.slice(0, 3))) {
        assert.throws(() => check([...other, ...entries.slice(3)], { left, right }), bad);
      }
      if (hi > lo) assert.throws(() => check(entries, { left, right }, lo + 1), bad);
    }),
  );
});

test("a range outside the tree is refused", () => {
  const nothing = { left: [], right: [] };
  for (const [lo, hi, size] of [
    [2, 1, 3],
    [0, 4, 3],
    [-1, 1, 3],
    [0, Number.NaN, 3],
    [0, 0.5, 3],
  ] as const) {
    assert.throws(() => verifyRange(lo, hi, size, [], nothing, emptyRoot), bad);
  }
});

test("a level is hashed whole as it is node by node, and an odd last hash is left out", () => {
  for (let count = 0; count <= 33; count++) {
    const nodes = Array.from({ length: count >> 1 }, (_, i) => hashNode(leaves[2 * i]!, leaves[2 * i + 1]!));
    assert.deepEqual(hashLevel(concatBytes(...leaves.slice(0, count))), concatBytes(...nodes));
  }
});

test("a leaf's hash as text is its hash", () => {
  for (const length of [0, 1, 255, 4095, 4096, 65_535]) {
    const entry = new Uint8Array(length).fill(7);
    assert.deepEqual(hashFromText(hashLeafText(entry)), hashLeaf(entry));
  }
});
