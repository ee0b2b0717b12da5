import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toHex, utf8 } from "../bytes.ts";
import { encodeCbor } from "../cbor/index.ts";
import { asHash, asRootHash, sha256 } from "../digest.ts";
import { emptyRoot, hashLeaf, rootOf } from "../merkle/index.ts";
import { decodeHeadLeaf, encodeHeadLeaf, type HeadLeaf, headsRoot, sortHeadLeaves } from "./index.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const headLeaf: fc.Arbitrary<HeadLeaf> = fc
  .record({
    origin: fc.stringMatching(/^[a-zé𐀀/-]{1,12}$/u),
    pendingSize: fc.nat(),
    pendingRoot: bytes32.map(asRootHash),
    note: bytes32.map(asHash),
    mirroredRoot: bytes32.map(asRootHash),
    behind: fc.nat(),
  })
  .map(({ note, behind, ...leaf }) => ({
    ...leaf,
    pendingNoteHash: leaf.pendingSize === 0 ? null : note,
    mirroredSize: Math.max(0, leaf.pendingSize - behind),
  }));

const nothing = (origin: string): HeadLeaf => ({
  origin,
  pendingSize: 0,
  pendingRoot: emptyRoot,
  pendingNoteHash: null,
  mirroredSize: 0,
  mirroredRoot: emptyRoot,
});

test("every head leaf comes back from its bytes", () => {
  fc.assert(fc.property(headLeaf, (leaf) => assert.deepEqual(decodeHeadLeaf(encodeHeadLeaf(leaf)), leaf)));
});

test("the leaf of a ledger from which nothing arrived has the bytes that the format says", () => {
  const empty = toHex(sha256());
  assert.equal(toHex(encodeHeadLeaf(nothing("p/d/1"))), `8665${toHex(utf8("p/d/1"))}005820${empty}f6005820${empty}`);
});

test("the root is over the leaves in the order of their origins' UTF-8 bytes, however they are given", () => {
  const origins = ["p/\u{10000}", "p/b", "p/\ufb33", "p/a", "p"];
  const leaves = origins.map(nothing);
  const sorted = sortHeadLeaves(leaves).map((leaf) => leaf.origin);
  assert.deepEqual(sorted, ["p", "p/a", "p/b", "p/\ufb33", "p/\u{10000}"]);
  const expected = rootOf(sorted.map((origin) => hashLeaf(encodeHeadLeaf(nothing(origin)))));
  assert.deepEqual(headsRoot(leaves), expected);
  assert.deepEqual(headsRoot(leaves.toReversed()), expected);
  assert.deepEqual(headsRoot([]), emptyRoot);
});

test("two leaves of one origin are refused", () => {
  assert.throws(() => headsRoot([nothing("p/a"), nothing("p/b"), nothing("p/a")]), {
    message: /p\/a has more than one/,
  });
});

test("leaves that contradict themselves are refused", () => {
  const note = asHash(new Uint8Array(32));
  const refuses = (leaf: HeadLeaf, why: RegExp) => {
    assert.throws(() => encodeHeadLeaf(leaf), { code: "entry-invalid", message: why });
    const { origin, pendingSize, pendingRoot, pendingNoteHash, mirroredSize, mirroredRoot } = leaf;
    const bytes = encodeCbor([origin, pendingSize, pendingRoot, pendingNoteHash, mirroredSize, mirroredRoot]);
    assert.throws(() => decodeHeadLeaf(bytes), { code: "entry-invalid", message: why });
  };
  refuses({ ...nothing("p/a"), pendingNoteHash: note }, /null exactly where/);
  refuses({ ...nothing("p/a"), pendingSize: 1 }, /null exactly where/);
  refuses({ ...nothing("p/a"), pendingSize: 1, pendingNoteHash: note, mirroredSize: 2 }, /at most the pending size 1/);
  assert.throws(() => decodeHeadLeaf(encodeCbor(["p/a", 0])), { code: "entry-invalid", message: /expected \[origin/ });
});
