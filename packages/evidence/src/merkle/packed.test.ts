import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { rootOf } from "./frontier.ts";
import { hashLeaf } from "./hashing.ts";
import { hashPacked, type PackedEntries, packedEntry, rootOfPacked } from "./packed.ts";

function pack(entries: readonly Uint8Array[]): PackedEntries {
  const framed = entries.map((entry) => concatBytes(Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry));
  let end = 0;
  return { bytes: concatBytes(...framed), ends: Uint32Array.from(framed, ({ length }) => (end += length)) };
}

test("packed entries hash as each of them does, and read back", () => {
  const entry = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.integer({ min: 0, max: 65_535 }).map((length) => new Uint8Array(length).fill(length)),
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), (entries) => {
      const packed = pack(entries);
      assert.deepEqual(hashPacked(packed), concatBytes(...entries.map((each) => hashLeaf(each))));
      for (const [i, each] of entries.entries()) assert.deepEqual(packedEntry(packed, i), each);
    }),
    { numRuns: 50 },
  );
});

test("the root over packed hashes is that of the tree, whatever their number", () => {
  const leaves = Array.from({ length: 256 }, (_, i) => hashLeaf(Uint8Array.of(i)));
  for (let count = 256; count >= 0; count -= 1) {
    const some = leaves.slice(256 - count);
    assert.deepEqual(rootOfPacked(concatBytes(...some)), rootOf(some), `${count} leaves`);
  }
});

test("half a hash and more than 256 of them have no packed root", () => {
  for (const length of [16, 33, 257 * 32]) {
    assert.throws(() => rootOfPacked(new Uint8Array(length)), EvidenceError);
  }
});
