import assert from "node:assert/strict";
import { test } from "node:test";
import { EdgeError } from "../error.ts";
import { requireFit } from "./feeds-fit.ts";
import type { WireTensor } from "./onnx-protocol.ts";

const inputs = [
  { name: "features", type: "float32", shape: ["N", 4] },
  { name: "mask", type: "bool", shape: [] },
];
const features: WireTensor = { name: "features", type: "float32", dims: [2, 4], data: new Float32Array(8) };
const mask: WireTensor = { name: "mask", type: "bool", dims: [], data: Uint8Array.of(1) };

test("feeds fit where names, types and dimensions are the model's, and named dimensions take any size", () => {
  requireFit([mask, features], inputs);
  requireFit([{ ...features, dims: [0, 4], data: new Float32Array(0) }, mask], inputs);
  assert.throws(() => requireFit([], inputs));
});

test("what does not fit is named, with what the model takes", () => {
  const wrong: readonly (readonly [readonly WireTensor[], RegExp])[] = [
    [[features], /no tensor for the input mask/],
    [[features, mask, { ...mask, name: "other" }], /no input other/],
    [[{ ...features, dims: [1, 8] }, mask], /features is float32 \[1, 8\]/],
    [[{ ...features, dims: [8] }, mask], /features is float32 \[8\]/],
    [[{ ...features, type: "int32" }, mask], /features is int32/],
  ];
  for (const [feeds, message] of wrong) {
    assert.throws(
      () => requireFit(feeds, inputs),
      (error) =>
        error instanceof EdgeError &&
        error.code === "content-invalid" &&
        message.test(error.message) &&
        error.hint === "the model takes features: float32 [N, 4]; mask: bool []",
    );
  }
});
