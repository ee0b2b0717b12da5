// Entries as they are written against the library, which is given the map that each entry stands for.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeWithLibrary } from "../cbor/decode-strictly.ts";
import { decodeCbor } from "../cbor/index.ts";
import { asHash, type HashText } from "../digest.ts";
import { arbitraryEntry, entryKindNames } from "./arbitrary-entry.ts";
import { entryOf, mapOfEntry } from "./codec.ts";
import { encodeEntry, type Inference } from "./index.ts";
import { decodePlainInference, encodePlainInference, encodeRecord } from "./plain-inference.ts";

const optional = ["parameters", "parents", "retrievals", "usage"] as const;

const plain = arbitraryEntry("inference").map((entry): Inference => {
  const { kind, time, loadIndex, ordinal, input, output, durationMicros, captureLevel } = entry as Inference;
  return { kind, time, loadIndex, ordinal, input, output, durationMicros, captureLevel };
});

test("every entry has the bytes that the library gives to its map", () => {
  fc.assert(
    fc.property(fc.oneof(plain, ...entryKindNames.map(arbitraryEntry)), (entry) => {
      assert.deepEqual(encodeEntry(entry), encodeWithLibrary(mapOfEntry(entry)));
    }),
    { numRuns: 2000 },
  );
});

test("a record with its commitments as text has the bytes that the library gives to its map", () => {
  fc.assert(
    fc.property(plain, (entry) => {
      const asText = ({ commitment, slot }: Inference["input"]) => ({
        commitment: String.fromCharCode(...commitment) as HashText,
        slot,
      });
      const { kind: _, captureLevel, ...rest } = entry;
      if (typeof captureLevel !== "number") return;
      const record = { ...rest, captureLevel, input: asText(entry.input), output: asText(entry.output) };
      assert.deepEqual(encodeRecord(record), encodeWithLibrary(mapOfEntry(entry)));
      for (const wrong of [-1, 1.5, 2 ** 53]) {
        assert.equal(encodeRecord({ ...record, durationMicros: wrong }), undefined);
        assert.equal(encodeRecord({ ...record, input: { ...record.input, slot: wrong } }), undefined);
      }
      const short = { ...record.output, commitment: record.output.commitment.slice(1) as HashText };
      assert.equal(encodeRecord({ ...record, output: short }), undefined);
    }),
  );
});

test("only records without optional parts take the short way", () => {
  fc.assert(
    fc.property(arbitraryEntry("inference"), (entry) => {
      const record = entry as Inference;
      const isPlain = optional.every((name) => record[name] === undefined) && typeof record.captureLevel === "number";
      assert.equal(encodePlainInference(record) !== undefined, isPlain);
    }),
  );
  const record: Inference = {
    ...{ kind: "inference", time: 1, loadIndex: 1, ordinal: 0, durationMicros: 1, captureLevel: 0 },
    input: { commitment: asHash(new Uint8Array(32)), slot: 0 },
    output: { commitment: asHash(new Uint8Array(32)), slot: 1 },
  };
  assert.ok(encodePlainInference(record) !== undefined);
  for (const wrong of [-1, 1.5, 2 ** 53, Number.NaN, "1", undefined, null]) {
    for (const key of ["time", "loadIndex", "ordinal", "durationMicros", "captureLevel"]) {
      const changed = { ...record, [key]: wrong } as Inference;
      assert.equal(encodePlainInference(changed), undefined, `${key} ${String(wrong)}`);
      assert.throws(() => encodeEntry(changed));
    }
    const changed = { ...record, input: { ...record.input, slot: wrong } } as Inference;
    assert.throws(() => encodeEntry(changed));
  }
  const short = { ...record, output: { ...record.output, commitment: new Uint8Array(31) } } as Inference;
  assert.throws(() => encodeEntry(short), { code: "entry-invalid", message: /key 5 .*expected 32 bytes/ });
});

test("the short way reads what the way of all entries reads, and nothing that it refuses or reads otherwise", () => {
  const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.nat({ max: 2 }) });
  const changed = fc.tuple(fc.oneof(plain, arbitraryEntry("inference")), fc.array(change, { maxLength: 2 }));
  let short = 0;
  fc.assert(
    fc.property(changed, ([entry, changes]) => {
      const bytes = encodeEntry(entry).slice();
      for (const { at, to } of changes) bytes[at % bytes.length] = to;
      const given = bytes.subarray(0, bytes.length - (changes[0]?.cut ?? 0));
      const read = decodePlainInference(given);
      if (read === undefined) return;
      short += 1;
      assert.deepEqual(read, entryOf(decodeCbor(given)));
      assert.ok(Object.isFrozen(read) && Object.isFrozen(read.input) && Object.isFrozen(read.output));
    }),
    { numRuns: 10_000 },
  );
  assert.ok(short > 1000);
});

test("every record that was written the short way is read the short way", () => {
  fc.assert(
    fc.property(plain, (entry) => {
      const bytes = encodePlainInference(entry);
      if (bytes !== undefined) assert.deepEqual(decodePlainInference(bytes), entry);
    }),
  );
});

test("what was written stays as it was, however much is written after it", () => {
  const entries = fc.sample(fc.oneof(...entryKindNames.map(arbitraryEntry)), 2000);
  const all = entries.map((entry) => encodeEntry(entry));
  for (const [i, entry] of entries.entries()) assert.deepEqual(all[i], encodeWithLibrary(mapOfEntry(entry)));
});
