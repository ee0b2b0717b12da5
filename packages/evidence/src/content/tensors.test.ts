import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, toHex } from "../bytes.ts";
import { encodeCbor } from "../cbor/index.ts";
import {
  decodeTensors,
  encodeTensors,
  littleEndianBytes,
  maxTensorDepth,
  type NamedTensor,
  type RawTensorType,
  type TensorValue,
  tensorTypeBits,
} from "./index.ts";

const hex = (s: string) => new Uint8Array(Buffer.from(s.replaceAll(" ", ""), "hex"));
const float = (...values: number[]) => littleEndianBytes(Float32Array.from(values));
const refusesToEncode = (value: TensorValue, why: RegExp) =>
  assert.throws(() => encodeTensors([{ name: "x", ...value }]), { code: "content-invalid", message: why });
const refusesToDecode = (bytes: Uint8Array, why: RegExp) =>
  assert.throws(() => decodeTensors(bytes), { code: "content-invalid", message: why });

const dims = fc.array(fc.nat({ max: 3 }), { maxLength: 3 });
const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
const wholeByteTypes = (Object.keys(tensorTypeBits) as RawTensorType[]).filter(
  (type) => type !== "bool" && tensorTypeBits[type] >= 8,
);
const rawTensor: fc.Arbitrary<TensorValue> = fc
  .tuple(fc.constantFrom(...wholeByteTypes), dims)
  .chain(([dtype, shape]) => {
    const length = (sizeOf(shape) * tensorTypeBits[dtype]) / 8;
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((data): TensorValue => ({ dtype, dims: shape, data }));
  });
const stringTensor: fc.Arbitrary<TensorValue> = dims.chain((shape) => {
  const length = sizeOf(shape);
  return fc
    .array(fc.string({ unit: "binary" }), { minLength: length, maxLength: length })
    .map((data): TensorValue => ({ dtype: "string", dims: shape, data }));
});
function tensorValue(depth: number): fc.Arbitrary<TensorValue> {
  const leaf = fc.oneof(rawTensor, stringTensor);
  if (depth === 0) return leaf;
  const inner = tensorValue(depth - 1);
  const map = (key: fc.Arbitrary<bigint | string>) =>
    fc
      .uniqueArray(fc.tuple(key, inner), { selector: ([k]) => k, maxLength: 3 })
      .map((entries): TensorValue => ({ dtype: "map", entries }));
  return fc.oneof(
    leaf,
    fc.array(inner, { maxLength: 3 }).map((items): TensorValue => ({ dtype: "sequence", items })),
    map(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    map(fc.string({ unit: "binary" })),
  );
}
const namedTensors: fc.Arbitrary<NamedTensor[]> = fc.uniqueArray(
  fc.tuple(fc.string({ unit: "binary", minLength: 1 }), tensorValue(2)).map(([name, value]) => ({ name, ...value })),
  { selector: (tensor) => tensor.name, maxLength: 4 },
);

test("the bytes are as the format says", () => {
  const bytes = encodeTensors([
    { name: "y", dtype: "float", dims: [1, 2], data: float(1, -2) },
    { name: "x", dtype: "string", dims: [], data: ["ü"] },
  ]);
  const expected = [
    "00000002", // two tensors, x before y
    "83 6178 66737472696e67 80", // ["x", "string", []]
    "0000000000000006 00000002 c3bc",
    "83 6179 65666c6f6174 820102", // ["y", "float", [1, 2]]
    "0000000000000008 0000803f 000000c0",
  ];
  assert.equal(toHex(bytes), toHex(hex(expected.join(""))));
});

test("every value comes back, and its bytes are the only form", () => {
  fc.assert(
    fc.property(namedTensors, (tensors) => {
      const bytes = encodeTensors(tensors);
      const decoded = decodeTensors(bytes);
      assert.deepEqual(encodeTensors(decoded), bytes);
      assert.deepEqual(new Set(decoded.map((t) => t.name)), new Set(tensors.map((t) => t.name)));
      for (const tensor of tensors) {
        const found = decoded.find((t) => t.name === tensor.name);
        if (tensor.dtype !== "map" && tensor.dtype !== "sequence") assert.deepEqual(found, tensor);
      }
    }),
  );
});

test("the order in which tensors and map entries are given does not matter", () => {
  fc.assert(
    fc.property(namedTensors, (tensors) => {
      const turned = tensors
        .toReversed()
        .map((t) => (t.dtype === "map" ? { ...t, entries: t.entries.toReversed() } : t));
      assert.deepEqual(encodeTensors(turned), encodeTensors(tensors));
    }),
  );
});

test("damaged bytes decode to something else or not at all", () => {
  fc.assert(
    fc.property(namedTensors, fc.nat(), fc.integer({ min: 1, max: 255 }), (tensors, at, mask) => {
      const bytes = encodeTensors(tensors);
      const damaged = bytes.slice();
      const index = at % bytes.length;
      damaged[index] = (damaged[index] ?? 0) ^ mask;
      try {
        assert.deepEqual(encodeTensors(decodeTensors(damaged)), damaged);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "content-invalid");
      }
    }),
    { numRuns: 500 },
  );
});

test("names are ordered by their UTF-8 bytes, not by UTF-16 units", () => {
  const scalar = { dtype: "bool", dims: [], data: hex("01") } as const;
  const names = decodeTensors(
    encodeTensors([
      { name: "\u{10000}", ...scalar },
      { name: "\uffff", ...scalar },
    ]),
  ).map((t) => t.name);
  assert.deepEqual(names, ["\uffff", "\u{10000}"]);
});

test("the bits of a NaN are kept", () => {
  const data = hex("0100c07f 010080ff");
  const [tensor] = decodeTensors(encodeTensors([{ name: "x", dtype: "float", dims: [2], data }]));
  assert.deepEqual(tensor, { name: "x", dtype: "float", dims: [2], data });
});

test("scalars, empty tensors, bfloat16 and packed 4-bit types have the lengths that their shapes give", () => {
  const good: TensorValue[] = [
    { dtype: "double", dims: [], data: new Uint8Array(8) },
    { dtype: "int64", dims: [3, 0], data: new Uint8Array() },
    { dtype: "bfloat16", dims: [2], data: new Uint8Array(4) },
    { dtype: "int4", dims: [3], data: hex("21 0f") },
    { dtype: "uint4", dims: [4], data: hex("21 ff") },
    { dtype: "float4e2m1", dims: [1], data: hex("07") },
    { dtype: "complex128", dims: [1], data: new Uint8Array(16) },
  ];
  for (const value of good)
    assert.deepEqual(decodeTensors(encodeTensors([{ name: "x", ...value }])), [{ name: "x", ...value }]);
  refusesToEncode({ dtype: "double", dims: [], data: new Uint8Array() }, /has 8 bytes, not 0/);
  refusesToEncode({ dtype: "int4", dims: [3], data: hex("21 ff") }, /unused half/);
  refusesToEncode({ dtype: "bool", dims: [1], data: hex("02") }, /neither 0 nor 1/);
  refusesToEncode({ dtype: "float", dims: [-1], data: new Uint8Array() }, /dimension -1/);
  refusesToEncode({ dtype: "float", dims: [2 ** 31, 2 ** 31], data: new Uint8Array() }, /too many/);
  refusesToEncode({ dtype: "string", dims: [2], data: ["a"] }, /does not have 1 elements/);
  refusesToEncode({ dtype: "string", dims: [1], data: ["\ud800"] }, /lone surrogate/);
});

test("a classifier's sequence of maps from class to probability has one form", () => {
  const probability = (value: number): TensorValue => ({ dtype: "float", dims: [], data: float(value) });
  const row = (benign: number): TensorValue => ({
    dtype: "map",
    entries: [
      [1n, probability(benign)],
      [0n, probability(1 - benign)],
      [-1n, probability(0)],
    ],
  });
  const bytes = encodeTensors([{ name: "probabilities", dtype: "sequence", items: [row(0.25), row(0.5)] }]);
  const [tensor] = decodeTensors(bytes);
  assert.ok(tensor?.dtype === "sequence" && tensor.items[0]?.dtype === "map");
  assert.deepEqual(
    tensor.items[0].entries.map(([key]) => key),
    [-1n, 0n, 1n],
  );
  refusesToEncode(
    {
      dtype: "map",
      entries: [
        ["a", row(1)],
        [1n, row(1)],
      ],
    },
    /more than one type/,
  );
  refusesToEncode(
    {
      dtype: "map",
      entries: [
        ["a", row(1)],
        ["a", row(1)],
      ],
    },
    /stands twice/,
  );
  refusesToEncode({ dtype: "map", entries: [[2n ** 63n, row(1)]] }, /64 bits/);
});

test("large tensors of text and large sequences are encoded", () => {
  const data = Array.from({ length: 130_000 }, (_, i) => `${i}`);
  const items: TensorValue[] = data.map((text) => ({ dtype: "string", dims: [], data: [text] }));
  const tensors: NamedTensor[] = [
    { name: "a", dtype: "string", dims: [data.length], data },
    { name: "b", dtype: "sequence", items },
  ];
  assert.equal(encodeTensors(tensors).length > 130_000 * 5, true);
});

test("sequences nest eight deep and no deeper", () => {
  const nested = (depth: number): TensorValue =>
    depth === 0 ? { dtype: "int8", dims: [], data: hex("01") } : { dtype: "sequence", items: [nested(depth - 1)] };
  assert.deepEqual(decodeTensors(encodeTensors([{ name: "x", ...nested(maxTensorDepth) }])), [
    { name: "x", ...nested(maxTensorDepth) },
  ]);
  refusesToEncode(nested(maxTensorDepth + 1), /deeper than 8/);
});

test("second forms are refused: wrong order, repeated names, trailing bytes, lengths past the end", () => {
  const item = (name: string) => concatBytes(encodeCbor([name, "int8", []]), hex("0000000000000001 05"));
  const list = (count: number, ...items: Uint8Array[]) => concatBytes(hex(`0000000${count}`), ...items);
  assert.equal(decodeTensors(list(2, item("a"), item("b"))).length, 2);
  refusesToDecode(list(2, item("b"), item("a")), /order of names/);
  refusesToDecode(list(2, item("a"), item("a")), /order of names/);
  refusesToDecode(list(1, item("a"), item("b")), /left over/);
  refusesToDecode(list(2, item("a")), /cannot be read/);
  refusesToDecode(list(1, item("")), /name is empty/);
  refusesToDecode(list(1, encodeCbor(["a", "int8", []]), hex("ffffffffffffffff 05")), /past the end/);
  refusesToDecode(list(1, encodeCbor(["a", "tensor", []]), hex("0000000000000000")), /type tensor is unknown/);
  refusesToDecode(new Uint8Array(), /end too early/);
});
