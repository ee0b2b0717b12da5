import assert from "node:assert/strict";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import type { NamedTensor } from "@tally/evidence";
import { RegistryClient, unpackModelKit } from "@tally/oci";
import { syncRound } from "../agent/sync-loop.ts";
import { type Device, openDevice } from "../device.ts";
import { EdgeError, type EdgeErrorCode } from "../error.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";
import { publishModel } from "../testing/publish-model.ts";
import { compareTensors, isWithin } from "./compare-tensors.ts";
import { keptInFolder, keptInSegment } from "./kept-record.ts";
import { replayRecord } from "./replay-record.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
const manifest = await publishModel(plane);
after(() => plane.close());
let count = 0;

const features = { type: "float32", dims: [1, 4], data: [0.1, 2, 3, 4] };
const fails = (code: EdgeErrorCode) => (error: unknown) => error instanceof EdgeError && error.code === code;

async function capturing(): Promise<Device> {
  const dir = await enrolDevice(plane, join(root, `device-${count++}`), { capture: "full" });
  return openDevice({ dir });
}

async function oneRun(device: Device): Promise<number> {
  const session = await (await device.load("tiny:stable")).onnx();
  return (await session.run({ features })).record.index;
}

const dirOf = ({ core }: Device) => core.folder.root;
const modelOf = ({ core }: Device) => join(core.folder.models, manifest.slice("sha256:".length));

test("a recorded run on the recorded model gives the recorded bits, while the device goes on", async () => {
  const device = await capturing();
  const index = await oneRun(device);
  const kept = await keptInFolder(dirOf(device), index);
  const { verdict, circumstances } = await replayRecord(kept, modelOf(device), 0);
  assert.equal(verdict, "bit-equal");
  for (const { name, recorded, now } of circumstances) if (name !== "threads") assert.equal(recorded, now, name);
  await device.close();
});

test("a packed record is replayed from its segment", async () => {
  const device = await capturing();
  const index = await oneRun(device);
  const [segment] = (await syncRound(device)).segments;
  assert.equal((await keptInFolder(dirOf(device), index)).contents, undefined);
  const into = join(root, "segment");
  const source = new RegistryClient({ url: plane.url, repository: "tiny" });
  await unpackModelKit({ source, reference: segment!.artifact, into });
  const { verdict } = await replayRecord(await keptInSegment(into, index), modelOf(device), 0);
  assert.equal(verdict, "bit-equal");
  await device.close();
});

test("an output that the model does not give is different, or within a tolerance that is wide enough", async () => {
  const device = await capturing();
  const model = await device.load("tiny:stable");
  const { outputs } = await (await model.onnx()).run({ features });
  const [honest] = outputs.probability!.data as Float32Array;
  const altered = Float32Array.of(honest! + 2 ** -20);
  const tensor = (name: string, dims: number[], values: Float32Array): NamedTensor => ({
    name,
    dtype: "float",
    dims,
    data: new Uint8Array(values.buffer.slice(0) as ArrayBuffer),
  });
  const { index } = await device.record({
    model,
    input: { tensors: [tensor("features", [1, 4], Float32Array.from(features.data))] },
    output: { tensors: [tensor("probability", [1, 1], altered)] },
  });
  const kept = await keptInFolder(dirOf(device), index);
  const strict = await replayRecord(kept, modelOf(device), 0);
  assert.equal(strict.verdict, "different");
  const [difference] = strict.comparison.differences;
  assert.deepEqual([difference?.name, difference?.differing, difference?.elements], ["probability", 1, 1]);
  assert.equal(difference?.maxAbsolute, altered[0]! - honest!);
  assert.equal((await replayRecord(kept, modelOf(device), 2 ** -19)).verdict, "within tolerance");
  await device.close();
});

test("attack: another model is put in the recorded one's place", async () => {
  const device = await capturing();
  const kept = await keptInFolder(dirOf(device), await oneRun(device));
  const swapped = join(root, "swapped");
  await cp(modelOf(device), swapped, { recursive: true });
  const bytes = await readFile(join(swapped, "model.onnx"));
  bytes[bytes.length - 9]! ^= 1;
  await writeFile(join(swapped, "model.onnx"), bytes);
  await assert.rejects(replayRecord(kept, swapped, 0), fails("load-refused"));
  await device.close();
});

test("attack: what is kept of a record is changed on the disk", async () => {
  const device = await capturing();
  const index = await oneRun(device);
  const { payloads } = device.core.folder;
  await device.close();
  const [name] = await readdir(payloads);
  const path = join(payloads, name!);
  const whole = await readFile(path);
  for (const at of [60, whole.length - 20]) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 1;
    await writeFile(path, changed);
    await assert.rejects(keptInFolder(dirOf(device), index), fails("damaged"), `byte ${at}`);
  }
});

test("an erased record says so, with the statement once the plane has it; one that was not captured is not kept", async () => {
  const device = await capturing();
  const index = await oneRun(device);
  await device.erase({ record: index });
  assert.deepEqual((await keptInFolder(dirOf(device), index)).erased, []);
  await syncRound(device);
  assert.deepEqual((await keptInFolder(dirOf(device), index)).erased, [plane.erasures.at(-1)!.digest]);
  await device.close();
  const silent = await openDevice({ dir: dirOf(device), config: { capture: "none" } });
  const { contents, erased } = await keptInFolder(dirOf(device), await oneRun(silent));
  assert.deepEqual([contents, erased], [undefined, undefined]);
  await silent.close();
});

test("what is no record, and what is no run of tensors, is refused", async () => {
  const device = await capturing();
  const model = await device.load("tiny:stable");
  const { index } = await device.record({ model, input: "text", output: "text" });
  await assert.rejects(
    replayRecord(await keptInFolder(dirOf(device), index), modelOf(device), 0),
    fails("request-invalid"),
  );
  await assert.rejects(keptInFolder(dirOf(device), 0), fails("request-invalid"));
  await assert.rejects(keptInFolder(dirOf(device), 1_000_000), fails("request-invalid"));
  await device.close();
});

test("tensors are compared by bits first, then by how far their elements lie apart", () => {
  const floats = (...values: number[]): NamedTensor => ({
    name: "y",
    dtype: "float",
    dims: [values.length],
    data: new Uint8Array(Float32Array.from(values).buffer),
  });
  const halves = (...bits: number[]): NamedTensor => ({
    name: "y",
    dtype: "float16",
    dims: [bits.length],
    data: new Uint8Array(Uint16Array.from(bits).buffer),
  });
  const text = (...data: string[]): NamedTensor => ({ name: "y", dtype: "string", dims: [data.length], data });
  const between = (a: NamedTensor, b: NamedTensor) => compareTensors([a], [b]);
  assert.equal(between(floats(1, Number.NaN), floats(1, Number.NaN)).isBitEqual, true);
  assert.equal(between(floats(0), floats(-0)).differences[0]?.maxAbsolute, 0);
  assert.equal(between(floats(1, 4), floats(1, 5)).differences[0]?.maxRelative, 0.25);
  assert.equal(between(halves(0x3c00), halves(0x4000)).differences[0]?.maxAbsolute, 1);
  assert.equal(isWithin(between(floats(1), floats(Number.NaN)), 1e9), false);
  assert.equal(isWithin(between(text("a"), text("b")), 1e9), false);
  assert.equal(isWithin(between(floats(1000), floats(1001)), 0.01), true);
  assert.equal(isWithin(between(floats(0), floats(0.001)), 0.01), true);
  assert.match(between(floats(1), floats(1, 2)).mismatch ?? "", /shape \[2\], recorded as \[1\]/);
  assert.match(between(floats(1), halves(1)).mismatch ?? "", /is float16/);
  assert.match(compareTensors([], [floats(1)]).mismatch ?? "", /more outputs/);
  assert.equal(isWithin(compareTensors([floats(1)], []), 1e9), false);
});
