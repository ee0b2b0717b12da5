import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { toHex } from "@tally/evidence";
import { RegistryClient, readModelKit, unpackModelKit } from "@tally/oci";
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from "age-encryption";
import { syncRound } from "../agent/sync-loop.ts";
import { type Device, openDevice } from "../device.ts";
import { keptInSegment } from "../replay/kept-record.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";
import { publishModel } from "../testing/publish-model.ts";
import { inspectSegment } from "./inspect-segment.ts";
import { openSegment } from "./open-segment.ts";
import { openSealed } from "./recipients.ts";
import { decodeKeys, decodeSealed, openPayloads } from "./sealed-payloads.ts";
import { unsealSegment } from "./unseal-segment.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
const model = await publishModel(plane);
after(() => plane.close());
let count = 0;
const dirs = new Map<Device, string>();

const [research, audit, stranger] = [
  await generateX25519Identity(),
  await generateHybridIdentity(),
  await generateX25519Identity(),
];
const recipients = [
  { name: "research", key: await identityToRecipient(research) },
  { name: "audit", key: await identityToRecipient(audit) },
];
const registry = new RegistryClient({ url: plane.url, repository: "tiny" });
const features = (first: number) => ({ type: "float32", dims: [1, 4], data: [first, 2, 3, 4] });

/** A device that records for each subject in turn; the first record gets a label. */
async function recorded(subjects: readonly (string | undefined)[]): Promise<{ device: Device; indices: number[] }> {
  const dir = await enrolDevice(plane, join(root, `device-${count++}`), { capture: "full", recipients });
  const device = await openDevice({ dir });
  dirs.set(device, dir);
  const session = await (await device.load("tiny:stable")).onnx();
  const indices: number[] = [];
  for (const [i, subject] of subjects.entries()) {
    const { record } = await session.run({ features: features(i) }, subject === undefined ? {} : { subject });
    indices.push(record.index);
    if (i === 0) await device.label({ record, content: "planted diagnosis" });
  }
  return { device, indices };
}

async function unpacked(artifact: string): Promise<string> {
  const into = join(root, `unpacked-${count++}`);
  await unpackModelKit({ source: registry, reference: artifact, into });
  return into;
}

async function packed(subjects: readonly (string | undefined)[]) {
  const { device, indices } = await recorded(subjects);
  await device.sync();
  const [segment] = await device.packSegments();
  return { device, indices, artifact: segment!.artifact, folder: await unpacked(segment!.artifact) };
}

async function everyByte(folder: string): Promise<Buffer> {
  const items = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = items.filter((item) => item.isFile()).map((item) => readFile(join(item.parentPath, item.name)));
  return Buffer.concat(await Promise.all(files));
}

test("each recipient opens an encrypted segment, and gets the files of one in the clear", async () => {
  const { device, indices, folder } = await packed(["a", "b", undefined]);
  await device.close();
  for (const identity of [research, audit]) {
    const into = join(root, `opened-${count++}`);
    await unsealSegment(folder, into, [stranger, identity]);
    const { rows, model: of } = await openSegment(into);
    assert.equal(of, model);
    assert.deepEqual(
      rows.map(({ index }) => index),
      indices,
    );
    assert.equal(rows[0]?.labels[0]?.value, "planted diagnosis");
    assert.deepEqual((await readdir(join(into, "data"))).sort(), [
      "labels.jsonl",
      "payloads.cborseq",
      "records.csv",
      "records.jsonl",
      "records.parquet",
    ]);
  }
});

test("without a recipient's identity nothing of the contents is to be had, and the proof still holds", async () => {
  const { device, folder, artifact } = await packed(["a", undefined]);
  const refused = { code: "segment-encrypted", message: /research, audit/ };
  await assert.rejects(openSegment(folder), refused);
  await assert.rejects(openSegment(folder, undefined, [stranger]), refused);
  const { sealing, faults, signature, segment } = await inspectSegment(folder);
  assert.deepEqual([sealing?.opened, sealing?.closed, faults, signature, segment.rows], [false, 2, [], undefined, []]);
  const bytes = await everyByte(folder);
  assert.equal(bytes.includes("planted diagnosis"), false);
  for (const slot of [0, 1, 2, 3]) {
    const salt = await device.core.salts.read(slot);
    assert.equal(bytes.includes(salt!), false, `the salt of slot ${slot} lies there in clear`);
  }
  const { kitfile } = await readModelKit(registry, artifact);
  const parameters = kitfile?.datasets?.[0]?.parameters as Record<string, unknown> | undefined;
  assert.deepEqual(parameters?.recipients, recipients);
  await device.close();
});

test("a record of an encrypted segment is replayed with an identity, and refused without", async () => {
  const { device, indices, folder } = await packed(["a"]);
  await device.close();
  await assert.rejects(keptInSegment(folder, indices[0]!), { code: "segment-encrypted" });
  const { contents, load } = await keptInSegment(folder, indices[0]!, undefined, [audit]);
  assert.equal(load.manifest, model);
  assert.ok(contents !== undefined && contents.input.bytes.length > 0);
});

test("records of one subject share a key, and no two segments do", async () => {
  const { device, folder } = await packed(["a", "b", "a", undefined, undefined]);
  const first = decodeSealed(await readFile(join(folder, "data", "sealed.cborseq")));
  assert.equal(first.items.length, 4);
  const session = await (await device.load("tiny:stable")).onnx();
  await session.run({ features: features(9) }, { subject: "a" });
  await device.sync();
  const [next] = await device.packSegments();
  const second = decodeSealed(await readFile(join(await unpacked(next!.artifact), "data", "sealed.cborseq")));
  const groups = new Set(first.items.map(({ group }) => toHex(group)));
  assert.ok(second.items.every(({ group }) => !groups.has(toHex(group))));
  await device.close();
});

test("attack: sealed contents are changed, or put into another segment", async () => {
  const { device, folder } = await packed(["a"]);
  const { device: other, folder: foreign } = await packed(["a"]);
  await Promise.all([device.close(), other.close()]);
  const invalid = { code: "segment-invalid" };
  for (const name of ["data/sealed.cborseq", "keys/keys.age"]) {
    const path = join(folder, name);
    const whole = await readFile(path);
    for (const at of [Math.floor(whole.length / 2), whole.length - 1]) {
      const changed = Buffer.from(whole);
      changed[at] = changed[at]! ^ 1;
      await writeFile(path, changed);
      await assert.rejects(openSegment(folder, undefined, [research]), invalid, `${name} with byte ${at} changed`);
    }
    await writeFile(path, whole);
  }
  for (const name of ["data/sealed.cborseq", "keys/keys.age"]) {
    await writeFile(join(folder, name), await readFile(join(foreign, name)));
  }
  await assert.rejects(openSegment(folder, undefined, [research]), invalid);
});

test("erasing a subject destroys its key: the replacement's keys open nothing of it, in the old segment neither", async () => {
  const { device, indices, folder: before } = await packed(["a", "b", "a", undefined]);
  await device.sync();
  await device.erase({ subject: "a" });
  await syncRound(device);
  const erasure = plane.erasures.at(-1)?.erasure;
  assert.equal(erasure?.origin, device.origin);
  assert.equal(erasure?.segments.length, 1);
  const { replacement, layers } = erasure!.segments[0]!;
  assert.equal(layers.length, 2, "contents and keys");
  const folder = await unpacked(replacement!);
  const { rows, absent } = await openSegment(folder, undefined, [research]);
  assert.deepEqual(
    rows.map(({ index }) => index),
    [indices[1], indices[3]],
  );
  assert.deepEqual(
    absent.map(({ index }) => index),
    [indices[0], indices[2]],
  );
  // Who kept the old contents and never had the old keys: the new keys are no help.
  const old = decodeSealed(await readFile(join(before, "data", "sealed.cborseq")));
  const keys = decodeKeys((await openSealed([research], await readFile(join(folder, "keys", "keys.age"))))!);
  const { from, to } = await openSegment(folder, undefined, [research]);
  assert.equal(openPayloads({ origin: device.origin, from, to }, old, keys).closed, old.items.length);
  await device.close();
});

test("erasing one record of a subject leaves its other records to the recipients", async () => {
  const { device, indices } = await packed(["a", "a", undefined]);
  await device.sync();
  await device.erase({ record: indices[0]! });
  await syncRound(device);
  const erasure = plane.erasures.at(-1)?.erasure;
  assert.equal(erasure?.origin, device.origin);
  const { rows } = await openSegment(await unpacked(erasure!.segments[0]!.replacement!), undefined, [audit]);
  assert.deepEqual(
    rows.map(({ index }) => index),
    indices.slice(1),
  );
  await device.close();
});

test("a replacement of a sealed segment stays sealed when the device has no recipients any more", async () => {
  const { device, indices } = await packed(["a", "b"]);
  await device.sync();
  await device.close();
  const again = await openDevice({ dir: dirs.get(device)!, config: { recipients: [] } });
  await again.erase({ subject: "a" });
  await syncRound(again);
  const erasure = plane.erasures.at(-1)?.erasure;
  const folder = await unpacked(erasure!.segments[0]!.replacement!);
  await assert.rejects(openSegment(folder), { code: "segment-encrypted" });
  assert.deepEqual(
    (await openSegment(folder, undefined, [research])).rows.map(({ index }) => index),
    [indices[1]],
  );
  assert.match((await readFile(join(folder, "keys", "keys.age"))).toString("latin1"), /^age-encryption\.org\/v1\n/);
  await again.close();
});
