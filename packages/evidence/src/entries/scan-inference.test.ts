import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../bytes.ts";
import { arbitraryEntry, entryKindNames } from "./arbitrary-entry.ts";
import { encodeEntry, type Inference, type RecordPlace, scanPlainInference } from "./index.ts";
import { decodePlainInference } from "./plain-inference.ts";

const plain = arbitraryEntry("inference").map((entry): Inference => {
  const { kind, time, loadIndex, ordinal, input, output, durationMicros } = entry as Inference;
  return { kind, time, loadIndex, ordinal, input, output, durationMicros, captureLevel: ordinal % 300 };
});
const entry = fc.oneof({ arbitrary: plain, weight: 30 }, ...entryKindNames.map(arbitraryEntry));
const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.nat({ max: 40 }) });

test("scanning takes exactly the records that the short way decodes, and finds the same place, whatever lies around them", () => {
  const around = fc.uint8Array({ maxLength: 120 });
  let records = 0;
  fc.assert(
    fc.property(around, entry, fc.array(change, { maxLength: 2 }), around, (before, value, changes, after) => {
      const whole = encodeEntry(value).slice();
      for (const { at, to } of changes) whole[at % whole.length] = to;
      const bytes = whole.subarray(0, Math.max(0, whole.length - (changes[0]?.cut ?? 0)));
      const place: RecordPlace = { loadIndex: -1, ordinal: -1 };
      const scanned = scanPlainInference(
        concatBytes(before, bytes, after),
        before.length,
        before.length + bytes.length,
        place,
      );
      const decoded = decodePlainInference(bytes);
      assert.equal(scanned, decoded !== undefined);
      if (decoded === undefined) assert.deepEqual(place, { loadIndex: -1, ordinal: -1 });
      else assert.deepEqual(place, { loadIndex: decoded.loadIndex, ordinal: decoded.ordinal });
      records += scanned ? 1 : 0;
    }),
    { numRuns: 5_000 },
  );
  assert.ok(records > 1000);
});

test("a record whose end lies in the next entry is none", () => {
  const bytes = encodeEntry(fc.sample(plain, 1)[0]!);
  const place: RecordPlace = { loadIndex: 0, ordinal: 0 };
  for (let cut = 1; cut < bytes.length; cut += 1) {
    assert.equal(scanPlainInference(bytes, 0, bytes.length - cut, place), false, `${cut} bytes short`);
  }
  assert.equal(scanPlainInference(bytes, 0, bytes.length, place), true);
});
