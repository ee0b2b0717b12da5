// Entries as they are written against the library, which is given the map that each entry stands for.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeWithLibrary } from "../cbor/decode-strictly.ts";
import { asHash } from "../digest.ts";
import { arbitraryEntry, entryKindNames } from "./arbitrary-entry.ts";
import { mapOfEntry } from "./codec.ts";
import { encodeEntry, type Inference } from "./index.ts";
import { encodePlainInference } from "./plain-inference.ts";

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

test("what was written stays as it was, however much is written after it", () => {
  const entries = fc.sample(fc.oneof(...entryKindNames.map(arbitraryEntry)), 2000);
  const all = entries.map((entry) => encodeEntry(entry));
  for (const [i, entry] of entries.entries()) assert.deepEqual(all[i], encodeWithLibrary(mapOfEntry(entry)));
});
