// Writes the smallest models that are useful in tests into packages/edge/testdata:
// probability = sigmoid(features · [1, -1, 0.5, 0.25] + 0.5), with its weights inside (tiny.onnx), and with the same weights
// in a file of their own (tiny-external.onnx, weights.bin).

import { mkdirSync, writeFileSync } from "node:fs";
import { dataType, encodeOnnx, littleEndian } from "./onnx-schema.ts";

const folder = new URL("../../packages/edge/testdata/", import.meta.url);
const weights = Float32Array.of(1, -1, 0.5, 0.25);

function tiny(file?: string): Uint8Array {
  return encodeOnnx({
    name: "tiny",
    nodes: [
      { opType: "Gemm", input: ["features", "weights", "bias"], output: ["sums"] },
      { opType: "Sigmoid", input: ["sums"], output: ["probability"] },
    ],
    initializers: [
      { name: "weights", dims: [4, 1], values: weights, ...(file !== undefined && { file }) },
      { name: "bias", dims: [1], values: Float32Array.of(0.5) },
    ],
    inputs: [{ name: "features", elementType: dataType.float, dims: ["N", 4] }],
    outputs: [{ name: "probability", elementType: dataType.float, dims: ["N", 1] }],
  });
}

mkdirSync(folder, { recursive: true });
const files = { "tiny.onnx": tiny(), "tiny-external.onnx": tiny("weights.bin"), "weights.bin": littleEndian(weights) };
for (const [name, bytes] of Object.entries(files)) {
  writeFileSync(new URL(name, folder), bytes);
  process.stderr.write(`wrote ${name}, ${bytes.length} bytes\n`);
}
