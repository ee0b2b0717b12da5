import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { decodeEntry } from "@tally/evidence";
import { openDevice } from "./device.ts";
import { EdgeError } from "./error.ts";
import { OnnxThread } from "./runtime/onnx-thread.ts";
import { temporaryFolder } from "./testing/device-folders.ts";
import { enrolDevice } from "./testing/loopback-device.ts";
import { LoopbackPlane } from "./testing/loopback-plane.ts";
import { externalModel, externalWeights, publishModel } from "./testing/publish-model.ts";

const root = await temporaryFolder(after);
const files = [
  { name: "model.onnx", bytes: externalModel },
  { name: "weights.bin", bytes: externalWeights },
];
const features = { type: "float32", dims: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
const probability = 1 / (1 + Math.exp(-(1 - 2 + 1.5 + 1 + 0.5)));
const otherWeights = new Uint8Array(Float32Array.of(9, 9, 9, 9).buffer);

let plane: LoopbackPlane;
before(async () => {
  plane = await LoopbackPlane.open(join(root, "plane"));
});
after(() => plane.close());

test("a model with weights in a file of their own runs on the measured bytes of both, whatever lies at their paths", async () => {
  const manifest = await publishModel(plane, { files });
  const device = await openDevice({ dir: await enrolDevice(plane, join(root, "measured")) });
  const model = await device.load("tiny:stable");
  await writeFile(join(device.core.folder.models, manifest.slice(7), "weights.bin"), otherWeights);
  const { outputs, record } = await (await model.onnx()).run({ features });
  assert.ok(Math.abs(Number(outputs.probability?.data[0]) - probability) < 1e-6);
  const entry = decodeEntry(await device.core.ledger.entry(record.index));
  assert.ok(entry.kind === "inference");
  const load = decodeEntry(await device.core.ledger.entry(entry.loadIndex));
  assert.ok(load.kind === "load" && load.grade === "measured");
  assert.deepEqual(
    load.files.map(({ size }) => size).sort((a, b) => a - b),
    [externalWeights.length, externalModel.length, "# first\n".length].sort((a, b) => a - b),
  );
  await device.close();
});

test("an external-data file that was swapped on the device is refused, and the refusal is recorded", async () => {
  const manifest = await publishModel(plane, { files });
  const device = await openDevice({ dir: await enrolDevice(plane, join(root, "swapped")) });
  await (await device.load("tiny:stable")).unload();
  await writeFile(join(device.core.folder.models, manifest.slice(7), "weights.bin"), otherWeights);
  await assert.rejects(
    device.load("tiny:stable"),
    (error) =>
      error instanceof EdgeError &&
      error.code === "load-refused" &&
      /a file of 16 bytes was measured/.test(error.message),
  );
  await device.core.ledger.flush();
  const last = decodeEntry(await device.core.ledger.entry(device.core.ledger.size - 1));
  assert.ok(last.kind === "load" && last.outcome === "refused" && last.reason === 3);
  await device.close();
});

test("load by path: a model that names weights it was not packed with is refused, though such a file lies where it points", async () => {
  const before = process.cwd();
  await writeFile(join(root, "weights.bin"), otherWeights);
  process.chdir(root);
  try {
    const refused = (error: unknown) => error instanceof EdgeError && error.code === "runtime-failed";
    await assert.rejects(OnnxThread.start(externalModel.slice()), refused);
    await assert.rejects(
      OnnxThread.start(externalModel.slice(), [{ path: "other.bin", data: externalWeights.slice() }]),
      refused,
    );
  } finally {
    process.chdir(before);
  }
});
