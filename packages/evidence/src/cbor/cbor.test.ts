import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyCbor } from "./arbitrary-cbor.ts";
import { type CborValue, decodeCbor, decodeCborFirst, decodeCborSequence, encodeCbor, maxCborDepth } from "./index.ts";

const hex = (s: string) => new Uint8Array(Buffer.from(s.replaceAll(" ", ""), "hex"));
const toHex = (b: Uint8Array) => Buffer.from(b).toString("hex");
const refuses = (bytes: string, why: RegExp) =>
  assert.throws(() => decodeCbor(hex(bytes)), { name: "EvidenceError", code: "cbor-invalid", message: why });

test("the examples of RFC 8949 appendix A encode and decode", () => {
  const examples: [CborValue, string][] = [
    [0, "00"],
    [23, "17"],
    [24, "1818"],
    [1000000000000, "1b000000e8d4a51000"],
    [-1, "20"],
    [-1000, "3903e7"],
    [true, "f5"],
    [null, "f6"],
    [hex("01020304"), "4401020304"],
    ["ü", "62c3bc"],
    ["\u{10151}", "64f0908591"],
    [[1, [2, 3], [4, 5]], "8301820203820405"],
    [
      new Map([
        [1, 2],
        [3, 4],
      ]),
      "a201020304",
    ],
    [Number.MAX_SAFE_INTEGER, "1b001fffffffffffff"],
    [-Number.MAX_SAFE_INTEGER, "3b001ffffffffffffe"],
  ];
  for (const [value, bytes] of examples) {
    assert.equal(toHex(encodeCbor(value)), bytes);
    assert.deepEqual(decodeCbor(hex(bytes)), value);
  }
});

test("map keys are sorted by the bytes of their encodings, as RFC 8949 4.2.1 lists them", () => {
  const map = new Map<number | string, CborValue>([
    ["aa", 1],
    [100, 2],
    ["z", 3],
    [-1, 4],
    [10, 5],
  ]);
  assert.equal(toHex(encodeCbor(map)), "a50a051864022004617a0362616101");
});

test("every value decodes to itself, and its bytes are the only form", () => {
  fc.assert(
    fc.property(anyCbor(4), (value) => {
      const bytes = encodeCbor(value);
      const decoded = decodeCbor(bytes);
      assert.deepEqual(decoded, value);
      assert.deepEqual(encodeCbor(decoded), bytes);
    }),
  );
});

test("whatever decodes from arbitrary bytes encodes to the same bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
      let value: CborValue;
      try {
        value = decodeCbor(bytes);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "cbor-invalid");
        return;
      }
      assert.deepEqual(encodeCbor(value), bytes);
    }),
    { numRuns: 2000 },
  );
});

test("a flipped byte gives another value or an error, never the same value", () => {
  fc.assert(
    fc.property(anyCbor(3), fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, mask) => {
      const bytes = encodeCbor(value);
      const changed = bytes.slice();
      const index = at % bytes.length;
      changed[index] = (changed[index] ?? 0) ^ mask;
      try {
        assert.notDeepEqual(decodeCbor(changed), value);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.equal((error as { code?: string }).code, "cbor-invalid");
      }
    }),
  );
});

test("floats, tags, undefined and simple values are refused", () => {
  refuses("f93c00", /float/);
  refuses("fb3ff8000000000000", /float/);
  refuses("f97e00", /./);
  refuses("c074323031332d30332d32315432303a30343a30305a", /tag/);
  refuses("f7", /undefined/);
  refuses("e0", /./);
  refuses("f820", /./);
});

test("integers beyond 2^53 − 1 are refused on both sides of zero", () => {
  refuses("1b0020000000000000", /./);
  refuses("3b001fffffffffffff", /./);
  refuses("1bffffffffffffffff", /./);
  for (const value of [2 ** 53, -(2 ** 53), 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => encodeCbor(value), { code: "cbor-invalid" });
  }
});

test("second forms are refused: overlong integers and lengths, indefinite lengths, unsorted and repeated keys", () => {
  refuses("1817", /./);
  refuses("190001", /./);
  refuses("5800", /./);
  refuses("9800", /./);
  refuses("5f4101ff", /./);
  refuses("9f01ff", /./);
  refuses("bf0102ff", /./);
  refuses("a202000100", /differently ordered/);
  refuses("a201000100", /repeat/);
});

test("trailing and missing bytes are refused", () => {
  refuses("0000", /1 bytes follow/);
  refuses("", /./);
  refuses("8201", /./);
  refuses("4401", /./);
  refuses("9affffffff", /./);
});

test("malformed UTF-8 is refused, and a leading byte order mark is kept", () => {
  refuses("61ff", /./);
  refuses("62c080", /./);
  refuses("63eda080", /./);
  assert.equal(decodeCbor(encodeCbor("\ufeffmodel")), "\ufeffmodel");
  assert.throws(() => encodeCbor("\ud800"), { code: "cbor-invalid", message: /lone surrogate/ });
});

test("lists and maps nest eight deep and no deeper, and hostile nesting does not exhaust the stack", () => {
  const nested = (depth: number): CborValue => (depth === 0 ? 1 : [nested(depth - 1)]);
  const deepest = encodeCbor(nested(maxCborDepth));
  assert.deepEqual(decodeCbor(deepest), nested(maxCborDepth));
  assert.throws(() => encodeCbor(nested(maxCborDepth + 1)), { message: /deeper than 8/ });
  refuses(`${"81".repeat(9)}01`, /deeper than 8/);
  refuses("81".repeat(60_000), /deeper than 8/);
  refuses(`${"a100".repeat(8)}80`, /deeper than 8/);
  const wide = Array.from({ length: 100 }, () => [[], [1], new Map()]);
  assert.deepEqual(decodeCbor(encodeCbor(wide)), wide);
});

test("map keys other than integers and text are refused", () => {
  refuses("a1f500", /keys/);
  refuses("a1410000", /keys/);
  refuses("a18000", /keys/);
});

test("a sequence decodes value by value and says where each ends", () => {
  const bytes = hex("01 820203 6161");
  assert.deepEqual(decodeCborSequence(bytes), [1, [2, 3], "a"]);
  assert.deepEqual(decodeCborFirst(bytes, 1), { value: [2, 3], end: 4 });
  assert.deepEqual(decodeCborSequence(new Uint8Array()), []);
  assert.throws(() => decodeCborSequence(hex("01 82")), { code: "cbor-invalid" });
});

test("byte strings are plain arrays of their own also when decoded from a Buffer", () => {
  const buffer = Buffer.from("4401020304", "hex");
  const value = decodeCbor(buffer) as Uint8Array;
  assert.equal(value.constructor, Uint8Array);
  buffer.fill(0);
  assert.deepEqual(value, hex("01020304"));
});
