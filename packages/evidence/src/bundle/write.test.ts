import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type EntriesToCome,
  entriesMember,
  type Member,
  memberTypes,
  type Question,
  rangeProofMember,
  streamBundle,
  writeBundle,
} from "./index.ts";

const question: Question = { kind: "record", origin: "a", index: 0 };
const logs = fc.uniqueArray(
  fc.record({
    origin: fc.constantFrom("plane.test/log", "plane.test/d/00/0", "plane.test/d/01/0", "ä"),
    from: fc.nat(600),
    count: fc.integer({ min: 0, max: 700 }),
  }),
  { selector: ({ origin }) => origin, maxLength: 4 },
);
const entry = (origin: string, index: number) => new TextEncoder().encode(`${origin} ${index}`);

test("a bundle that is streamed has the bytes of one that is written at once", async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), async (list, blobs) => {
      const others: Member[] = blobs.map((bytes) => ({ type: memberTypes.blob, bytes }));
      const toCome: EntriesToCome[] = [];
      const slices: Member[] = [];
      for (const { origin, from, count } of list) {
        const to = from + count;
        others.push(rangeProofMember({ origin, from, to, size: to, left: [], right: [] }));
        const entries = Array.from({ length: count }, (_, i) => entry(origin, from + i));
        toCome.push({
          origin,
          from,
          to,
          read: async function* (at, end) {
            yield* entries.slice(at - from, end - from);
          },
        });
        for (let at = 0; at < count; at += 256)
          slices.push(entriesMember({ origin, from: from + at, items: entries.slice(at, at + 256) }));
      }
      const parts = await Array.fromAsync(streamBundle(question, others, toCome.reverse()));
      assert.deepEqual(new Uint8Array(Buffer.concat(parts)), writeBundle(question, [...slices, ...others]));
      assert.ok(parts.at(-1)!.length >= 32, "the trailer is not torn");
    }),
    { numRuns: 60 },
  );
});

test("a log that ends before it should is an error, not a shorter bundle", async () => {
  const read = async function* () {
    yield entry("a", 0);
  };
  const broken = Array.fromAsync(streamBundle(question, [], [{ origin: "a", from: 0, to: 2, read }]));
  await assert.rejects(broken, RangeError);
});
