import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { thin } from "./thin.ts";

test("a long list is thinned to so many of its items, in their order, each once, from the first to the last", () => {
  fc.assert(
    fc.property(fc.nat(300), fc.integer({ min: 1, max: 100 }), (length, limit) => {
      const items = Array.from({ length }, (_, i) => i);
      const kept = thin(items, limit);
      assert.equal(kept.length, Math.min(length, limit));
      assert.ok(kept.every((item, i) => items.includes(item) && (i === 0 || item > kept[i - 1]!)));
      if (limit > 1 && length > 0) assert.deepEqual([kept[0], kept.at(-1)], [0, length - 1]);
    }),
  );
});
