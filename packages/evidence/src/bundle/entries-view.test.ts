import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EntriesView } from "./entries-view.ts";
import { entriesMember, parseEntries, type Slice } from "./member.ts";

const slice = fc.record({
  origin: fc.oneof(fc.constantFrom("plane.test/d/00/0", "", "ä"), fc.string({ unit: "binary" })),
  from: fc.nat(),
  items: fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 9 }),
});

function viewed(view: EntriesView, bytes: Uint8Array): Slice {
  view.open(bytes);
  const items = Array.from({ length: view.length }, (_, i) => bytes.slice(view.starts[i], view.ends[i]));
  return { origin: view.origin, from: view.from, items };
}

const orError = (read: () => Slice) => {
  try {
    return read();
  } catch (error) {
    return (error as Error).message;
  }
};

test("a view shows what parsing gives, and refuses what parsing refuses, in the same words", () => {
  const view = new EntriesView();
  const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.nat({ max: 1 }) });
  fc.assert(
    fc.property(slice, fc.array(change, { maxLength: 2 }), (written, changes) => {
      const bytes = entriesMember(written).bytes.slice();
      for (const { at, to } of changes) bytes[changes.length > 1 ? at % 20 : at % bytes.length] = to;
      const given = bytes.subarray(0, bytes.length - (changes[0]?.cut ?? 0));
      assert.deepEqual(
        orError(() => viewed(view, given)),
        orError(() => parseEntries(given)),
      );
    }),
    { numRuns: 3000 },
  );
});

test("a full slice is read, one of 257 entries is not", () => {
  const items = Array.from({ length: 256 }, (_, i) => Uint8Array.of(i));
  const { bytes } = entriesMember({ origin: "a", from: 5, items });
  assert.deepEqual(viewed(new EntriesView(), bytes), { origin: "a", from: 5, items });
  const more = entriesMember({ origin: "a", from: 5, items: [...items, Uint8Array.of(1)] });
  assert.throws(() => new EntriesView().open(more.bytes), { code: "bundle-invalid" });
});
