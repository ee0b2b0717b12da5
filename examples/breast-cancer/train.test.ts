import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { readDataset } from "./dataset.ts";
import { evaluate, evaluateScores } from "./evaluate.ts";
import { exponential, sigmoid } from "./exponential.ts";
import { classifierToOnnx } from "./onnx.ts";
import { splitPatients } from "./split.ts";
import { trainFirst, trainSecond, trainThird } from "./versions.ts";

const split = splitPatients(readDataset(), { seed: 1, devices: 5 });

test("all three versions diagnose held-out patients well", () => {
  for (const version of [
    trainFirst(split.train),
    trainSecond(split.train),
    trainThird(split.train, split.field.flat()),
  ]) {
    const evaluation = evaluate(version.classifier, split.holdOut);
    assert.ok(evaluation.accuracy > 0.93, JSON.stringify(evaluation));
    assert.ok(evaluation.auc > 0.97, JSON.stringify(evaluation));
  }
});

test("training gives the very bytes it gave before, on any machine", () => {
  const digest = (version: { classifier: Parameters<typeof classifierToOnnx>[0] }) =>
    createHash("sha256").update(classifierToOnnx(version.classifier)).digest("hex");
  assert.equal(digest(trainFirst(split.train)), "de2942692e865f9b9b16ef9c89f2df00d86e7ac451e52176a563bd6320cee02a");
  assert.equal(digest(trainSecond(split.train)), "56862ba9dad75adf449aaea18eaeff8360fca58558338dedb8ee96355fbd737b");
});

test("training refuses samples of one diagnosis only", () => {
  const benign = split.train.filter((patient) => !patient.malignant);
  assert.throws(() => trainFirst(benign), /malignant and benign/);
});

test("the exponential agrees with the engine's to 14 digits", () => {
  for (let x = -700; x <= 700; x += 0.37) {
    const expected = Math.exp(x);
    assert.ok(Math.abs(exponential(x) / expected - 1) < 1e-14, `e^${x}`);
  }
  assert.equal(exponential(0), 1);
  assert.equal(sigmoid(0), 0.5);
  assert.equal(sigmoid(1e9), 1);
  assert.equal(sigmoid(-1e9), 0);
});

test("accuracy, sensitivity, specificity and AUC of a small example are as computed by hand", () => {
  const evaluation = evaluateScores([
    { score: 0.9, malignant: true },
    { score: 0.4, malignant: true },
    { score: 0.6, malignant: false },
    { score: 0.4, malignant: false },
    { score: 0.1, malignant: false },
  ]);
  assert.equal(evaluation.accuracy, 3 / 5);
  assert.equal(evaluation.sensitivity, 1 / 2);
  assert.equal(evaluation.specificity, 2 / 3);
  assert.equal(evaluation.auc, 4.5 / 6);
});
