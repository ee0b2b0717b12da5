import assert from "node:assert/strict";
import { cp, readdir, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { advanceRun, decodeEntry, decodeTensors, type Entry, parseTlogProof, type RunState } from "@tally/evidence";
import { type Device, openDevice } from "./device.ts";
import { enroll } from "./enroll/enroll.ts";
import { EdgeError, type EdgeErrorCode } from "./error.ts";
import { collectPayloads } from "./segments/collect.ts";
import { temporaryFolder } from "./testing/device-folders.ts";
import { enrolDevice } from "./testing/loopback-device.ts";
import { LoopbackPlane } from "./testing/loopback-plane.ts";
import { publishModel } from "./testing/publish-model.ts";

const root = await temporaryFolder(after);
let count = 0;
let plane: LoopbackPlane;
const planes: LoopbackPlane[] = [];
after(async () => {
  for (const each of planes) await each.close();
});

beforeEach(async () => {
  plane = await LoopbackPlane.open(join(root, `plane-${count++}`));
  planes.push(plane);
});

const freshDir = () => join(root, `device-${count++}`);

function throwsCode(code: EdgeErrorCode) {
  return (error: unknown) => {
    assert.ok(error instanceof EdgeError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}

async function entriesOf({ core: { ledger } }: Device): Promise<Entry[]> {
  await ledger.flush();
  const entries: Entry[] = [];
  for await (const bytes of ledger.entries(0, ledger.size)) entries.push(decodeEntry(bytes));
  return entries;
}

const features = { type: "float32", dims: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
const probability = 1 / (1 + Math.exp(-(1 - 2 + 1.5 + 1 + 0.5)));

test("a device pulls by digest, verifies, runs the model and records it", async () => {
  const manifest = await publishModel(plane);
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir()) });
  const model = await device.load("tiny:stable");
  assert.equal(model.manifest, manifest);
  const session = await model.onnx();
  assert.deepEqual([session.inputNames, session.outputNames], [["features"], ["probability"]]);
  const { outputs, record } = await session.run({ features });
  assert.ok(Math.abs(Number(outputs.probability?.data[0]) - probability) < 1e-6);
  const entry = decodeEntry(await device.core.ledger.entry(record.index));
  assert.ok(entry.kind === "inference");
  const load = decodeEntry(await device.core.ledger.entry(entry.loadIndex));
  assert.ok(load.kind === "load");
  assert.deepEqual([load.manifest, load.grade, load.outcome], [manifest, "measured", "accepted"]);
  assert.match(load.runtime, /^onnxruntime \d/);
  assert.ok(load.permit !== null && load.release !== undefined);
  await session.run({ features: { ...features, data: [4, 3, 2, 1] } });
  await device.close();
  assert.ok(!plane.requests.some((request) => request.includes("/manifests/stable")), "a tag decided something");
});

test("a model file that was replaced on the device is refused, and the refusal is recorded", async () => {
  const manifest = await publishModel(plane);
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir()) });
  await (await device.load("tiny:stable")).unload();
  const file = join(device.core.folder.models, manifest.slice(7), "model.onnx");
  await writeFile(file, "other weights");
  await assert.rejects(device.load("tiny:stable"), throwsCode("load-refused"));
  const last = (await entriesOf(device)).at(-1);
  assert.ok(last?.kind === "load");
  assert.deepEqual([last.outcome, last.reason, last.manifest, last.permit], ["refused", 3, manifest, null]);
  assert.equal(last.files[0]?.size, "other weights".length);
  await device.close();
});

test("the runtime is given the measured bytes, whatever lies at their path by then", async () => {
  const manifest = await publishModel(plane);
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir()) });
  const model = await device.load("tiny:stable");
  await writeFile(join(device.core.folder.models, manifest.slice(7), "model.onnx"), "other weights");
  const { outputs } = await (await model.onnx()).run({ features });
  assert.ok(Math.abs(Number(outputs.probability?.data[0]) - probability) < 1e-6);
  await device.close();
});

test("a model that nobody approved is refused with every reason", async () => {
  await publishModel(plane, { approve: false });
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir()) });
  await assert.rejects(device.load("tiny:stable"), (error) => {
    assert.ok(error instanceof EdgeError && /approved/.test(error.message));
    return throwsCode("load-refused")(error);
  });
  const last = (await entriesOf(device)).at(-1);
  assert.ok(last?.kind === "load" && last.outcome === "refused" && last.reason === 4);
  await device.close();
});

test("a channel that goes back to a lower number is refused as a roll-back", async () => {
  await publishModel(plane, { sequence: 1, note: "first" });
  const first = plane.channels.get("tiny:stable")!;
  await publishModel(plane, { sequence: 2, note: "second" });
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir()) });
  await device.load("tiny:stable");
  plane.channels.set("tiny:stable", first);
  await assert.rejects(device.load("tiny:stable"), throwsCode("load-refused"));
  const last = (await entriesOf(device)).at(-1);
  assert.ok(last?.kind === "load" && last.reason === 6);
  await device.close();
});

test("without the plane a device goes on with the release it took last, and syncs when it is back", async () => {
  await publishModel(plane);
  const dir = await enrolDevice(plane, freshDir());
  const online = await openDevice({ dir });
  await online.load("tiny:stable");
  await online.close();
  await plane.stop();
  const device = await openDevice({ dir });
  const model = await device.load("tiny:stable");
  assert.equal(model.fresh, false);
  const { record } = await (await model.onnx()).run({ features });
  await assert.rejects(device.sync(), throwsCode("unreachable"));
  const receipt = await record.receipt();
  assert.ok(receipt.status === "unsynced");
  assert.equal(parseTlogProof(receipt.tlogProof).index, record.index);
  await plane.start();
  const report = await device.sync();
  assert.ok(report.mirrored > record.index);
  await device.close();
});

test("a plane that was never asked about a channel gives nothing to load while it is away", async () => {
  await publishModel(plane);
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir()) });
  await plane.stop();
  await assert.rejects(device.load("tiny:stable"), throwsCode("unreachable"));
  await device.close();
});

test("a sync anchors, states the counts, brings permits, and leaves a mirror that the rules of runs hold for", async () => {
  await publishModel(plane);
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir()) });
  const model = await device.load("tiny:stable");
  const session = await model.onnx();
  for (let i = 0; i < 300; i++) await session.run({ features });
  const first = await device.sync();
  assert.equal(first.blobs.length, 1);
  assert.ok(plane.blobs.has(first.blobs[0]!));
  await session.run({ features });
  const second = await device.sync();
  assert.equal(second.sent, 3);
  const mirrored = plane.mirror.log(device.origin)!;
  assert.equal(mirrored.mirrored?.checkpoint.size, second.mirrored);
  let state: RunState | undefined;
  const kinds: string[] = [];
  for await (const bytes of mirrored.entries(0, mirrored.size)) {
    const entry = decodeEntry(bytes);
    kinds.push(entry.kind);
    state = advanceRun(state, entry);
  }
  assert.deepEqual(kinds.slice(-3), ["inference", "anchor", "summary"]);
  await device.close();
});

test("a plane that shows another history than the pinned one is not followed", async () => {
  await publishModel(plane);
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir()) });
  await device.sync();
  const other = await LoopbackPlane.open(join(root, `plane-${count++}`));
  planes.push(other);
  await publishModel(other);
  const { note } = other.log.latest!;
  plane.intercept = (request, response) => {
    if (request.url !== "/log/checkpoint") return false;
    response.end(note);
    return true;
  };
  await assert.rejects(device.sync(), throwsCode("plane-untrusted"));
  await device.close();
});

test("a clone that syncs beside its original is convicted with it, and both are kept out", async (t) => {
  const dir = await enrolDevice(plane, freshDir());
  const original = await openDevice({ dir });
  await original.sync();
  const clone = freshDir();
  await cp(dir, clone, { recursive: true, filter: (path) => !basename(path).startsWith("lock.") });
  const copy = await openDevice({ dir: clone });
  t.after(() => Promise.all([original.close(), copy.close()]));
  await copy.record({ model: await declared(copy), input: "a", output: "c" });
  await copy.sync();
  for (let i = 0; i < 20; i++) await original.record({ model: await declared(original), input: `${i}`, output: "b" });
  await assert.rejects(original.sync(), throwsCode("blocked"));
  assert.equal(plane.conflicts[0]?.kind, "equivocated");
  await copy.record({ model: await declared(copy), input: "a", output: "b" });
  await assert.rejects(copy.sync(), throwsCode("blocked"));
  assert.match((await copy.status()).blocked ?? "", /equivocated/);
});

test("enrolment that died half-way goes on as the same device", async () => {
  const dir = freshDir();
  plane.intercept = (request, response) => {
    if (request.url !== "/api/v1/enroll") return false;
    response.destroy();
    return true;
  };
  await assert.rejects(enrolDevice(plane, dir), throwsCode("unreachable"));
  const before = await readdir(join(dir, "keys"));
  const draft = await stat(join(dir, "state", "enrolment.json"));
  plane.intercept = () => false;
  await enrolDevice(plane, dir);
  assert.deepEqual(await readdir(join(dir, "keys")), before);
  assert.equal((await stat(join(dir, "state", "enrolment.json"))).mtimeMs, draft.mtimeMs);
  for (const file of before) assert.equal((await stat(join(dir, "keys", file))).mode & 0o777, 0o600);
  assert.equal(plane.devices.size, 1);
  await assert.rejects(enrolDevice(plane, dir), throwsCode("already-enrolled"));
});

test("enrolment without a trust file is refused before anything is asked", async () => {
  const asked = plane.requests.length;
  const options = { dir: freshDir(), url: plane.url, token: "enrol", trustPath: join(root, "absent.json") };
  await assert.rejects(enroll(options), throwsCode("trust-invalid"));
  assert.equal(plane.requests.length, asked);
});

test("full capture keeps what was run until it is packed, in the bytes that were committed to", async () => {
  await publishModel(plane);
  const device = await openDevice({ dir: await enrolDevice(plane, freshDir(), { capture: "full" }) });
  const { record } = await (await (await device.load("tiny:stable")).onnx()).run({ features });
  const payloads = await collectPayloads(device.core, record.index, record.index + 1);
  assert.deepEqual(
    payloads.map(({ role }) => role),
    ["input", "output"],
  );
  const [tensor] = decodeTensors(payloads[0]!.bytes);
  assert.deepEqual([tensor?.name, tensor?.dtype], ["features", "float"]);
  await device.close();
});

async function declared(device: Device) {
  return device.declare({ grade: "declared", runtime: "by hand", provider: "none" });
}
