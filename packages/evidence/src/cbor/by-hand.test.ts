// What is written by hand here against the library: the same bytes, the same values, the same refusals.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { arbitraryEntry, entryKindNames } from "../entries/arbitrary-entry.ts";
import { encodeEntry } from "../entries/index.ts";
import { anyCbor } from "./arbitrary-cbor.ts";
import { decodeStrictly, encodeWithLibrary } from "./decode-strictly.ts";
import { type CborValue, decodeCborFirst, encodeCbor } from "./index.ts";
import { readCanonical } from "./read-canonical.ts";

const anyEntry = fc.oneof(...entryKindNames.map(arbitraryEntry)).map(encodeEntry);
const anyEncoded = fc.oneof(anyCbor(4).map(encodeWithLibrary), anyEntry);

test("any value has the library's bytes", () => {
  fc.assert(
    fc.property(anyCbor(5), (value) => assert.deepEqual(encodeCbor(value), encodeWithLibrary(value))),
    { numRuns: 1000 },
  );
});

test("integers and lengths around every width have the library's bytes", () => {
  const widths = [23, 24, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff, 0x100000000, Number.MAX_SAFE_INTEGER];
  for (const value of widths.flatMap((n) => [n - 1, n, -n, 1 - n])) {
    assert.deepEqual(encodeCbor(value), encodeWithLibrary(value));
    assert.deepEqual(encodeCbor(new Map([[value, value]])), encodeWithLibrary(new Map([[value, value]])));
  }
  for (const length of [23, 24, 0xff, 0x100, 4095, 4096, 0xffff, 0x10000, 2 ** 21]) {
    const [bytes, text] = [new Uint8Array(length).fill(7), "ü".repeat(length)];
    assert.deepEqual(encodeCbor([bytes, text]), encodeWithLibrary([bytes, text]));
  }
});

test("what the library's path refuses to write is refused in the same words", () => {
  const nested = (depth: number): CborValue => (depth === 0 ? 1 : [nested(depth - 1)]);
  const wrong: unknown[] = [1.5, 2 ** 53, Number.NaN, "\ud800", undefined, 7n, {}, nested(9), new Map([[1.5, 0]])];
  for (const value of [...wrong, ...wrong.map((inner) => [0, inner])] as CborValue[]) {
    assert.throws(
      () => encodeCbor(value),
      (error: Error) => {
        assert.throws(() => encodeWithLibrary(value), {
          name: "EvidenceError",
          code: "cbor-invalid",
          message: error.message,
        });
        return true;
      },
    );
    assert.deepEqual(encodeCbor([1, "after"]), encodeWithLibrary([1, "after"]));
  }
});

test("what the library writes is read by hand, wherever it begins", () => {
  fc.assert(
    fc.property(anyEncoded, fc.nat({ max: 9 }), fc.nat({ max: 9 }), (bytes, before, after) => {
      const padded = new Uint8Array(before + bytes.length + after).fill(0xff);
      padded.set(bytes, before);
      assert.deepEqual(readCanonical(padded, before), decodeStrictly(padded, before));
    }),
    { numRuns: 1000 },
  );
});

test("bytes that were changed, cut or made up are read as the library reads them, or by neither", () => {
  const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.nat({ max: 3 }) });
  const changed = fc.tuple(anyEncoded, fc.array(change, { minLength: 1, maxLength: 3 })).map(([bytes, changes]) => {
    const copy = bytes.slice();
    for (const { at, to } of changes) copy[at % copy.length] = to;
    return copy.subarray(0, Math.max(1, copy.length - changes[0]!.cut));
  });
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array({ minLength: 1, maxLength: 32 })), (bytes) => {
      assert.deepEqual(
        readCanonical(bytes, 0),
        read(() => decodeStrictly(bytes, 0)),
      );
    }),
    { numRuns: 20_000 },
  );
});

test("byte strings are copies, and plain arrays also out of a Buffer", () => {
  for (const length of [3, 64, 65, 1024, 1025]) {
    const source = Buffer.from(encodeWithLibrary(new Uint8Array(length).fill(5)));
    const { value } = decodeCborFirst(source);
    source.fill(0);
    assert.deepEqual(value, new Uint8Array(length).fill(5));
  }
});

function read<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    assert.equal((error as { code?: string }).code, "cbor-invalid");
    return undefined;
  }
}
