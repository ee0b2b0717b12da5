import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { predict } from "./classifier.ts";
import { readDataset } from "./dataset.ts";
import { classifierToOnnx } from "./onnx.ts";
import { splitPatients } from "./split.ts";
import { trainFirst, trainSecond } from "./versions.ts";

const patients = readDataset();
const { train } = splitPatients(patients, { seed: 1, devices: 5 });

for (const [name, version] of [
  ["logistic regression", trainFirst(train)],
  ["the network with a hidden layer", trainSecond(train)],
] as const) {
  test(`${name} gives the same diagnoses in ONNX Runtime for all 569 patients`, async () => {
    const session = await InferenceSession.create(classifierToOnnx(version.classifier));
    const features = new Tensor("float32", Float32Array.from(patients.flatMap((p) => [...p.features])), [569, 30]);
    const { probability, label } = await session.run({ features });
    assert.deepEqual(probability?.dims, [569, 1]);
    assert.deepEqual(label?.dims, [569]);
    assert.equal(label?.type, "int64");
    const probabilities = probability?.data as Float32Array;
    const labels = label?.data as BigInt64Array;
    for (const [i, patient] of patients.entries()) {
      const expected = predict(version.classifier, patient.features);
      const difference = Math.abs(probabilities[i]! - expected);
      assert.ok(difference < 2e-6, `patient ${i}: ${probabilities[i]} differs from ${expected} by ${difference}`);
      assert.equal(labels[i], probabilities[i]! >= 0.5 ? 1n : 0n);
    }
    await session.release();
  });
}

test("the session's metadata names the input, its 30 columns and both outputs", async () => {
  const session = await InferenceSession.create(classifierToOnnx(trainFirst(train).classifier));
  assert.deepEqual(session.inputNames, ["features"]);
  assert.deepEqual(session.outputNames, ["probability", "label"]);
  const [input] = session.inputMetadata;
  assert.ok(input?.isTensor);
  assert.deepEqual(input.shape, ["N", 30]);
  await session.release();
});

test("a classifier always becomes the same file", () => {
  const files = [1, 2].map(() => classifierToOnnx(trainSecond(train).classifier));
  const [one, two] = files.map((file) => createHash("sha256").update(file).digest("hex"));
  assert.equal(one, two);
});
