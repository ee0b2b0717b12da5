import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryFile } from "@tally/oci";
import { describeFolder } from "./describe-folder.ts";

const files = (...names: readonly (readonly [string, number])[]) =>
  names.map(([name, size]) => memoryFile(name, new Uint8Array(size)));

test("every file of a folder has a place in its Kitfile", () => {
  const kitfile = describeFolder(
    "classifier",
    files(
      ["README.md", 1],
      ["data/train.csv", 9],
      ["model.onnx", 5],
      ["model.onnx.data", 3],
      ["src/run.py", 2],
      ["LICENSE", 1],
    ),
  );
  assert.deepEqual(kitfile, {
    manifestVersion: "1.0.0",
    package: { name: "classifier" },
    model: { name: "classifier", path: "model.onnx", parts: [{ path: "model.onnx.data" }] },
    code: [{ path: "src/run.py" }],
    datasets: [{ name: "data/train.csv", path: "data/train.csv" }],
    docs: [{ path: "README.md" }, { path: "LICENSE" }],
  });
});

test("of several model files the largest is the model, the others are parts of it", () => {
  const { model } = describeFolder("m", files(["a.safetensors", 2], ["b.safetensors", 7]));
  assert.deepEqual(model, { name: "m", path: "b.safetensors", parts: [{ path: "a.safetensors" }] });
});

test("a folder without a model needs a Kitfile", () => {
  assert.throws(() => describeFolder("m", files(["rows.csv", 1])), { exitCode: 2, hint: /--kitfile/ });
});
