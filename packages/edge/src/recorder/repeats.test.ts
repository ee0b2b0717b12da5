import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { sha256, sha256Text, utf8 } from "@tally/evidence";
import { syncRound } from "../agent/sync-loop.ts";
import { openDevice } from "../device.ts";
import { enrolledFolder, temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";
import { publishModel } from "../testing/publish-model.ts";
import { Repeats } from "./repeats.ts";

const root = await temporaryFolder(after);

test("attack: an input is replayed, and the device says how often, also after a restart", async () => {
  const dir = await enrolledFolder(join(root, "device"));
  const device = await openDevice({ dir });
  const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
  for (const input of ["a", "b", "a", "a"]) await device.record({ model, input, output: "out" });
  assert.deepEqual((await device.status()).repeats, { inputs: 2, repeated: 1, most: 3 });
  await device.close();
  const again = await openDevice({ dir });
  const model2 = await again.declare({ grade: "declared", runtime: "test", provider: "none" });
  await again.record({ model: model2, input: "a", output: "out" });
  assert.deepEqual((await again.status()).repeats, { inputs: 2, repeated: 1, most: 4 });
  await again.erase({ record: (await again.record({ model: model2, input: "c", output: "out" })).index });
  assert.deepEqual((await again.status()).repeats, { inputs: 0, repeated: 0, most: 0 });
  await again.close();
});

test("no more inputs are remembered than there is room for, the ones seen last", async () => {
  const repeats = await Repeats.open(root, randomBytes(32), 100);
  const content = (i: number) => sha256Text(utf8(`${i}`));
  for (let i = 0; i < 250; i++) {
    repeats.note(content(i));
    repeats.note(content(0));
  }
  assert.equal(repeats.counts().inputs, 100);
  assert.equal(repeats.note(content(0)), 252);
  assert.equal(repeats.note(content(1)), 1);
  assert.equal(repeats.note(content(249)), 2);
  await repeats.close();
  assert.equal((await stat(join(root, "repeats"))).size, 100 * 20);
});

test("digests say nothing without the key: another device's are others, and none is of the content alone", async () => {
  const planted = utf8("planted");
  const [a, b] = [join(root, "a"), join(root, "b")];
  for (const folder of [a, b]) {
    const repeats = await Repeats.open(folder, randomBytes(32));
    repeats.note(sha256Text(planted));
    await repeats.close();
  }
  const [first, second] = [await readFile(join(a, "repeats")), await readFile(join(b, "repeats"))];
  assert.notDeepEqual(first.subarray(0, 16), second.subarray(0, 16));
  for (const guess of [sha256(planted), sha256(sha256(planted))])
    assert.equal(first.includes(guess.subarray(0, 16)), false);
});

test("neither the digests nor their key go where a device syncs to, nor into its ledger and segments", async () => {
  const planeFolder = join(root, "plane");
  const plane = await LoopbackPlane.open(planeFolder);
  await publishModel(plane);
  const device = await openDevice({ dir: await enrolDevice(plane, join(root, "syncing"), { capture: "full" }) });
  const session = await (await device.load("tiny:stable")).onnx();
  for (let i = 0; i < 2; i++) await session.run({ features: { type: "float32", dims: [1, 4], data: [1, 2, 3, 4] } });
  const { segments } = await syncRound(device);
  assert.equal(segments[0]?.rows, 2);
  const { salts, journal } = device.core.folder;
  const key = device.core.salts.subkey("tally/repeats/v1");
  await device.close();
  await plane.close();
  const kept = await readFile(join(salts, "repeats"));
  assert.equal(kept.length, 20);
  for (const folder of [planeFolder, journal]) {
    for (const item of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!item.isFile()) continue;
      const bytes = await readFile(join(item.parentPath, item.name));
      for (const secret of [kept.subarray(0, 16), key]) {
        for (const form of [
          Buffer.from(secret),
          ...(["hex", "base64"] as const).map((f) => Buffer.from(Buffer.from(secret).toString(f))),
        ]) {
          assert.equal(bytes.includes(form), false, item.name);
        }
      }
    }
  }
});
