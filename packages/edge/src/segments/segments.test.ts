import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  decodeEntry,
  generatePrivateKeyPem,
  type KeySet,
  noteSignerFromPem,
  parseCheckpoint,
  signCheckpoint,
  utf8,
} from "@tally/evidence";
import { RegistryClient, readModelKit, unpackModelKit } from "@tally/oci";
import { parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type Device, openDevice } from "../device.ts";
import { EdgeError } from "../error.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";
import { publishModel } from "../testing/publish-model.ts";
import { inspectSegment } from "./inspect-segment.ts";
import { openSegment } from "./open-segment.ts";
import { decodePayloads, encodePayloads } from "./payload-sequence.ts";
import { decodeProof, encodeProof } from "./segment-proof.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
const model = await publishModel(plane);
after(() => plane.close());
let count = 0;

async function capturing(): Promise<Device> {
  const dir = await enrolDevice(plane, join(root, `device-${count++}`), { capture: "full" });
  return openDevice({ dir });
}

async function unpacked(artifact: string): Promise<string> {
  const into = join(root, `unpacked-${count++}`);
  const source = new RegistryClient({ url: plane.url, repository: "tiny" });
  await unpackModelKit({ source, reference: artifact, into });
  return into;
}

const features = (first: number) => ({ type: "float32", dims: [1, 4], data: [first, 2, 3, 4] });

async function packedSegment(): Promise<{ device: Device; folder: string; indices: number[] }> {
  const device = await capturing();
  const session = await (await device.load("tiny:stable")).onnx();
  const indices: number[] = [];
  for (let i = 0; i < 5; i++) {
    const { record } = await session.run({ features: features(i) });
    indices.push(record.index);
    if (i === 2) await device.label({ record, content: { json: { diagnosis: 'benign, "sure"' } } });
  }
  await device.sync();
  const [segment] = await device.packSegments();
  assert.ok(segment !== undefined);
  assert.deepEqual([segment.model, segment.rows, segment.repository], [model, 5, "tiny"]);
  return { device, folder: await unpacked(segment.artifact), indices };
}

test("what a device captured comes back as rows that are proven to be in its signed ledger", async () => {
  const { device, folder, indices } = await packedSegment();
  const segment = await openSegment(folder);
  assert.equal(segment.model, model);
  assert.equal(segment.origin, device.origin);
  assert.deepEqual(
    segment.rows.map(({ index }) => index),
    indices,
  );
  assert.deepEqual(segment.rows[1]?.input, { features: { type: "float32", dims: [1, 4], data: [1, 2, 3, 4] } });
  assert.deepEqual(segment.rows[2]?.labels[0]?.value, { diagnosis: 'benign, "sure"' });
  const csv = await readFile(join(folder, "data", "records.csv"), "utf8");
  assert.match(csv.split("\r\n")[0]!, /^origin,index,leaf,label,input\.features\[0\],.*output\.probability$/);
  const { core } = device;
  const entry = decodeEntry(await core.ledger.entry(core.ledger.size - 1));
  assert.equal(entry.kind, "segment");
  assert.equal(core.payloads.bytes, 0);
  await device.close();
});

test("the segment refers to the model it holds records of", async () => {
  const { device, folder } = await packedSegment();
  const registry = new RegistryClient({ url: plane.url, repository: "tiny" });
  const referring = await Array.fromAsync(registry.referrers(model));
  assert.ok(referring.length > 0);
  assert.ok(folder.length > 0);
  await device.close();
});

test("a segment is found under its model by device and by the time that the device's clock said", async () => {
  const before = Date.now();
  const { device, indices } = await packedSegment();
  const registry = new RegistryClient({ url: plane.url, repository: "tiny" });
  const found = (filter: object) => Array.fromAsync(registry.referrers(model, { device: device.deviceId, ...filter }));
  const [segment, ...others] = await found({});
  assert.deepEqual(others, []);
  const times = await Promise.all(
    indices.map(async (index) => {
      const entry = decodeEntry(await device.core.ledger.entry(index));
      assert.ok(entry.kind === "inference");
      return entry.time;
    }),
  );
  assert.deepEqual(segment!.annotations, {
    "tally.device": device.deviceId,
    "tally.time.from": new Date(times[0]!).toISOString(),
    "tally.time.to": new Date(times.at(-1)!).toISOString(),
  });
  assert.deepEqual(await found({ since: before }), [segment]);
  assert.deepEqual(await found({ until: before }), []);
  await device.close();
});

test("a label that comes later travels in a later segment", async () => {
  const { device, indices } = await packedSegment();
  const index = indices[0]!;
  const leaf = await device.core.ledger.leafHash(index);
  await device.label({ record: { origin: device.origin, index, leaf }, content: "malignant" });
  await device.sync();
  const [segment] = await device.packSegments();
  const opened = await openSegment(await unpacked(segment!.artifact));
  assert.equal(opened.rows.length, 0);
  assert.deepEqual(
    opened.late.map(({ record, value }) => [record.index, value]),
    [[index, "malignant"]],
  );
  assert.deepEqual(await device.packSegments(), []);
  await device.close();
});

test("a row that was changed, added or left out is noticed", async () => {
  const { device, folder } = await packedSegment();
  await device.close();
  const invalid = (error: unknown) => error instanceof EdgeError && error.code === "segment-invalid";
  for (const name of [
    "data/records.jsonl",
    "data/records.csv",
    "data/records.parquet",
    "data/payloads.cborseq",
    "proof/proof.cbor",
  ]) {
    const path = join(folder, name);
    const whole = await readFile(path);
    for (const at of [Math.floor(whole.length / 3), Math.floor(whole.length / 2)]) {
      const changed = Buffer.from(whole);
      changed[at] = changed[at]! ^ 1;
      await writeFile(path, changed);
      await assert.rejects(openSegment(folder), invalid, `${name} with byte ${at} changed`);
    }
    await writeFile(path, whole.subarray(0, whole.length - 1));
    await assert.rejects(openSegment(folder), invalid, `${name} cut short`);
    await writeFile(path, whole);
  }
  await openSegment(folder);
});

test("every row that was edited is named, with the file it stands in", async () => {
  const { device, folder, indices } = await packedSegment();
  await device.close();
  const edit = async (name: string, change: (text: string) => string) => {
    const path = join(folder, "data", name);
    await writeFile(path, change(await readFile(path, "utf8")));
  };
  await edit("records.csv", (text) => text.replace(/^(.*,1,2,3,4,)0\.88/m, "$10.99"));
  await edit("records.jsonl", (text) => text.replace('"ordinal":3', '"ordinal":9'));
  await writeFile(join(folder, "data", "notes.parquet"), "mine");
  const parquet = join(folder, "data", "records.parquet");
  const rows = await parquetReadObjects({ file: (await readFile(parquet)).buffer.slice(0) as ArrayBuffer });
  const names = Object.keys(rows[0]!);
  rows[4]!["output.probability"] = 0.5;
  const columnData = names.map((name) => ({ name, data: rows.map((row) => row[name]) as string[] }));
  await writeFile(parquet, new Uint8Array(parquetWriteBuffer({ columnData })));
  const { faults } = await inspectSegment(folder);
  assert.deepEqual(
    faults.map(({ file, index }) => [file, index]),
    [
      ["data/records.jsonl", indices[3]],
      ["data/records.csv", indices[1]],
      ["data/records.parquet", indices[4]],
      ["data/notes.parquet", undefined],
    ],
  );
  await assert.rejects(openSegment(folder), { code: "segment-invalid", message: new RegExp(`entry ${indices[3]}`) });
});

test("an item of the payloads that was edited is named by its record", async () => {
  const { device, folder, indices } = await packedSegment();
  await device.close();
  const path = join(folder, "data", "payloads.cborseq");
  const payloads = decodePayloads(await readFile(path));
  const changed = payloads.map((payload) =>
    payload.index === indices[2] && payload.role === "output"
      ? { ...payload, bytes: payload.bytes.map((b) => b ^ 1) }
      : payload,
  );
  await writeFile(path, encodePayloads(changed));
  const { faults } = await inspectSegment(folder);
  assert.equal(faults[0]?.file, "data/payloads.cborseq");
  assert.deepEqual([...new Set(faults.map(({ index }) => index))].slice(0, 1), [indices[2]]);
});

test("a segment from before there were Parquet tables goes on verifying", async () => {
  const { device, folder } = await packedSegment();
  await device.close();
  await rm(join(folder, "data", "records.parquet"));
  assert.equal((await openSegment(folder)).rows.length, 5);
});

test("the Kitfile tells tools of the device, the time and the parameters", async () => {
  const device = await capturing();
  const declared = await (await device.load("tiny:stable")).onnx();
  await declared.run({ features: features(1) }, { parameters: { temperature: 0.7, seed: 4 } });
  await declared.run({ features: features(1) }, { parameters: { temperature: 0 } });
  await device.sync();
  const [segment] = await device.packSegments();
  const source = new RegistryClient({ url: plane.url, repository: "tiny" });
  const { kitfile } = await readModelKit(source, segment!.artifact);
  const parameters = kitfile?.datasets?.[0]?.parameters as Record<string, unknown>;
  assert.deepEqual(parameters.inference, { seed: [4], temperature: [0, 0.7] });
  assert.equal(parameters.device, device.origin.split("/").at(-2));
  assert.deepEqual([parameters.origin, parameters.model, parameters.rows], [device.origin, model, 2]);
  const { from, to } = parameters.deviceTime as { from: string; to: string };
  assert.ok(Date.parse(from) <= Date.parse(to) && Date.parse(to) <= Date.now());
  await device.close();
});

test("what was erased gives no row, and the rest stays proven", async () => {
  const device = await capturing();
  const session = await (await device.load("tiny:stable")).onnx();
  const { record: kept } = await session.run({ features: features(1) });
  const { record: erased } = await session.run({ features: features(2) });
  const entry = decodeEntry(await device.core.ledger.entry(erased.index));
  assert.ok(entry.kind === "inference");
  await device.core.salts.erase([entry.input.slot, entry.output.slot]);
  await device.sync();
  const [segment] = await device.packSegments();
  const { rows } = await openSegment(await unpacked(segment!.artifact));
  assert.deepEqual(
    rows.map(({ index }) => index),
    [kept.index],
  );
  await device.close();
});

test("a segment signed after a rotation opens with the keys that hold at its size, and with no others", async () => {
  const { device, folder } = await packedSegment();
  const { origin } = device;
  await device.close();
  const next = noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519"));
  const path = join(folder, "proof", "proof.cbor");
  const proof = decodeProof(await readFile(path));
  const { checkpoint } = parseCheckpoint(utf8(proof.checkpoint));
  await writeFile(path, encodeProof({ ...proof, checkpoint: await signCheckpoint(checkpoint, [next], 0) }));
  const keySet: KeySet = [{ type: next.key.type, publicKey: next.key.publicKey }];
  const from = (size: number) => (of: string, at: number) => (of === origin && at >= size ? keySet : undefined);
  assert.equal((await openSegment(folder, from(checkpoint.size))).rows.length, 5);
  const refused = { name: "EdgeError", code: "segment-invalid" };
  await assert.rejects(openSegment(folder, from(checkpoint.size + 1)), refused);
  await assert.rejects(openSegment(folder), refused);
});
