import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeTensors, encodeTensors } from "@tally/evidence";
import fc from "fast-check";
import { EdgeError } from "../error.ts";
import { elementsOf, namedTensors, type OnnxTensor, wireTensors } from "./tensors.ts";

const invalid = (error: unknown) => error instanceof EdgeError && error.code === "content-invalid";

test("tensors of every type that ONNX Runtime takes come back from their recorded bytes as they were", () => {
  const examples: OnnxTensor[] = [
    { type: "float32", dims: [2], data: Float32Array.of(Number.NaN, -0) },
    { type: "float64", dims: [1], data: Float64Array.of(Number.MIN_VALUE) },
    { type: "float16", dims: [2], data: Uint16Array.of(0x3c00, 0x7e01) },
    { type: "int64", dims: [], data: BigInt64Array.of(-(2n ** 63n)) },
    { type: "uint64", dims: [1, 1], data: BigUint64Array.of(2n ** 64n - 1n) },
    { type: "int8", dims: [3], data: Int8Array.of(-1, 0, 1) },
    { type: "uint8", dims: [0], data: Uint8Array.of() },
    { type: "int16", dims: [1], data: Int16Array.of(-300) },
    { type: "uint16", dims: [1], data: Uint16Array.of(300) },
    { type: "int32", dims: [1], data: Int32Array.of(-70_000) },
    { type: "uint32", dims: [1], data: Uint32Array.of(70_000) },
    { type: "bool", dims: [2], data: Uint8Array.of(0, 1) },
    { type: "string", dims: [2], data: ["", "é"] },
  ];
  for (const tensor of examples) {
    const bytes = encodeTensors(namedTensors(wireTensors({ x: tensor })));
    const [decoded] = decodeTensors(bytes);
    assert.deepEqual(elementsOf(decoded!), tensor, tensor.type);
  }
});

test("plain lists of numbers become the type's elements, and ONNX's own type names are understood", () => {
  const [wire] = wireTensors({ x: { type: "float", dims: [1, 2], data: [1, 2.5] } });
  assert.deepEqual(wire, { name: "x", type: "float32", dims: [1, 2], data: Float32Array.of(1, 2.5) });
  assert.deepEqual(wireTensors({ x: { type: "int64", dims: [2], data: [1, 2n] } })[0]?.data, BigInt64Array.of(1n, 2n));
  assert.deepEqual(wireTensors({ x: { type: "bool", dims: [2], data: [true, false] } })[0]?.data, Uint8Array.of(1, 0));
});

test("a shape that does not fit, another element width and an unknown type are refused", () => {
  const wrong: OnnxTensor[] = [
    { type: "float32", dims: [3], data: Float32Array.of(1, 2) },
    { type: "float32", dims: [-1], data: [] },
    { type: "float32", dims: [1], data: Float64Array.of(1) },
    { type: "complex", dims: [1], data: [1] },
    { type: "int64", dims: [1], data: [1.5] },
    { type: "string", dims: [1], data: [1] },
  ];
  for (const tensor of wrong) assert.throws(() => wireTensors({ x: tensor }), invalid, JSON.stringify(tensor.type));
});

test("the recorded bytes do not depend on the order in which tensors are given", () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, unit: "binary" }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(names, fc.float({ noNaN: false }), (given, value) => {
      const feeds = (order: string[]) =>
        Object.fromEntries(order.map((name) => [name, { type: "float32", dims: [], data: Float32Array.of(value) }]));
      const encode = (order: string[]) => encodeTensors(namedTensors(wireTensors(feeds(order))));
      assert.deepEqual(encode(given), encode([...given].reverse()));
    }),
    { numRuns: 50 },
  );
});
