// Arbitrary values of Tally's CBOR, for property tests.
import fc from "fast-check";
import type { CborValue } from "./index.ts";

/** Any value of at most `depth` nested lists and maps. */
export function anyCbor(depth: number): fc.Arbitrary<CborValue> {
  const leaf: fc.Arbitrary<CborValue> = fc.oneof(
    fc.maxSafeInteger(),
    fc.string({ unit: "binary" }),
    fc.uint8Array(),
    fc.boolean(),
    fc.constant(null),
  );
  if (depth === 0) return leaf;
  const inner = anyCbor(depth - 1);
  const key = fc.oneof(fc.maxSafeInteger(), fc.nat({ max: 300 }), fc.string({ unit: "binary" }));
  const map = fc
    .uniqueArray(fc.tuple(key, inner), { selector: ([k]) => k, maxLength: 4 })
    .map((entries): CborValue => new Map(entries));
  return fc.oneof(leaf, fc.array(inner, { maxLength: 4 }), map);
}
