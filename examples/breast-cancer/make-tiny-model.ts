// Writes packages/edge/testdata/tiny.onnx, the smallest model that is useful in tests:
// probability = sigmoid(features · [1, -1, 0.5, 0.25] + 0.5).

import { mkdirSync, writeFileSync } from "node:fs";
import { dataType, encodeOnnx } from "./onnx-schema.ts";

const folder = new URL("../../packages/edge/testdata/", import.meta.url);
mkdirSync(folder, { recursive: true });
const bytes = encodeOnnx({
  name: "tiny",
  nodes: [
    { opType: "Gemm", input: ["features", "weights", "bias"], output: ["sums"] },
    { opType: "Sigmoid", input: ["sums"], output: ["probability"] },
  ],
  initializers: [
    { name: "weights", dims: [4, 1], values: Float32Array.of(1, -1, 0.5, 0.25) },
    { name: "bias", dims: [1], values: Float32Array.of(0.5) },
  ],
  inputs: [{ name: "features", elementType: dataType.float, dims: ["N", 4] }],
  outputs: [{ name: "probability", elementType: dataType.float, dims: ["N", 1] }],
});
writeFileSync(new URL("tiny.onnx", folder), bytes);
process.stderr.write(`wrote tiny.onnx, ${bytes.length} bytes\n`);
