import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { decodeEntry, toHex } from "@tally/evidence";
import { OciError, RegistryClient, unpackModelKit } from "@tally/oci";
import { syncRound } from "../agent/sync-loop.ts";
import { type Device, openDevice } from "../device.ts";
import { EdgeError } from "../error.ts";
import { openSegment } from "../segments/open-segment.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";
import { publishModel } from "../testing/publish-model.ts";
import { ErasurePlans } from "./plan.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
await publishModel(plane);
after(() => plane.close());
let count = 0;

const features = (first: number) => ({ type: "float32", dims: [1, 4], data: [first, 2, 3, 4] });
const registry = new RegistryClient({ url: plane.url, repository: "tiny" });

async function capturing(): Promise<Device> {
  const dir = await enrolDevice(plane, join(root, `device-${count++}`), { capture: "full" });
  return openDevice({ dir });
}

/** Runs the model for each subject in turn, and returns the records' indices. */
async function recordFor(device: Device, subjects: readonly (string | undefined)[]): Promise<number[]> {
  const session = await (await device.load("tiny:stable")).onnx();
  const indices: number[] = [];
  for (const [i, subject] of subjects.entries()) {
    const { record } = await session.run({ features: features(i) }, subject === undefined ? {} : { subject });
    indices.push(record.index);
  }
  return indices;
}

async function opened(manifest: string) {
  const into = join(root, `unpacked-${count++}`);
  await unpackModelKit({ source: registry, reference: manifest, into });
  return openSegment(into);
}

async function everyFile(folder: string): Promise<Buffer> {
  const items = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = items.filter((item) => item.isFile()).map((item) => readFile(join(item.parentPath, item.name)));
  return Buffer.concat(await Promise.all(files));
}

async function saltsOf({ core }: Device, index: number): Promise<(Uint8Array | undefined)[]> {
  const entry = decodeEntry(await core.ledger.entry(index));
  assert.ok(entry.kind === "inference");
  return Promise.all([entry.input.slot, entry.output.slot].map((slot) => core.salts.read(slot)));
}

test("erasing a subject takes salts and payloads of all its records and labels, and nothing else", async () => {
  const device = await capturing();
  const indices = await recordFor(device, ["a", "b", "a", undefined]);
  const record = { origin: device.origin, index: indices[0]!, leaf: await device.core.ledger.leafHash(indices[0]!) };
  const label = await device.label({ record, content: { text: "planted diagnosis" } });
  const { records } = await device.erase({ subject: "a" });
  assert.deepEqual(records, [indices[0], indices[2], label.index]);
  const kept = await Array.fromAsync(device.core.payloads.read(0, 1_000_000));
  assert.deepEqual([...new Set(kept.map(({ index }) => index))], [indices[1], indices[3]]);
  for (const [i, index] of indices.entries()) {
    assert.equal(
      (await saltsOf(device, index)).every((salt) => salt === undefined),
      i % 2 === 0,
      `record ${i}`,
    );
  }
  await assert.rejects(
    device.erase({ subject: "a" }),
    (error) => error instanceof EdgeError && error.code === "request-invalid",
  );
  await device.close();
});

test("erasing one record takes its labels with it, and leaves the rest of its subject", async () => {
  const device = await capturing();
  const [first, second] = await recordFor(device, ["a", "a"]);
  const leaf = await device.core.ledger.leafHash(first!);
  const label = await device.label({ record: { origin: device.origin, index: first!, leaf }, content: "malignant" });
  const { records } = await device.erase({ record: first! });
  assert.deepEqual(records, [first, label.index]);
  assert.deepEqual(await saltsOf(device, first!), [undefined, undefined]);
  assert.ok((await saltsOf(device, second!)).every((salt) => salt !== undefined));
  for (const wrong of [first!, label.index, 1_000_000]) {
    await assert.rejects(
      device.erase({ record: wrong }),
      (error) => error instanceof EdgeError && error.code === "request-invalid",
      `entry ${wrong}`,
    );
  }
  await device.close();
});

test("a record with more retrievals than an entry lists loses all of their salts, and its neighbour none", async () => {
  const device = await capturing();
  const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
  const retrievals = Array.from({ length: 101 }, (_, i) => `retrieved ${i}`);
  const first = await device.record({ model, input: "in", output: "out", retrievals });
  const next = await device.record({ model, input: "in", output: "out" });
  const entry = decodeEntry(await device.core.ledger.entry(first.index));
  assert.ok(entry.kind === "inference" && entry.retrievalsBlob !== undefined);
  await device.erase({ record: first.index });
  for (let slot = entry.input.slot; slot < entry.input.slot + 103; slot++) {
    assert.equal(await device.core.salts.read(slot), undefined, `slot ${slot}`);
  }
  assert.ok((await saltsOf(device, next.index)).every((salt) => salt !== undefined));
  await device.close();
});

test("a segment that the plane has is replaced, its payload layer goes, and the statement names records and no one", async () => {
  const device = await capturing();
  const indices = await recordFor(device, ["patient-4711-planted", "b", "patient-4711-planted"]);
  const { segments } = await syncRound(device);
  const [before] = segments;
  await device.erase({ subject: "patient-4711-planted" });
  const { erasures } = await syncRound(device);
  assert.deepEqual([erasures.length, erasures[0]?.records, erasures[0]?.segments], [1, 2, 1]);
  const stated = plane.erasures.at(-1)!;
  assert.deepEqual(erasures[0]?.statements, [stated.digest]);
  const { origin, records, keystore } = stated.erasure;
  assert.deepEqual(
    [origin, keystore, records.map(({ index }) => index)],
    [device.origin, "file", [indices[0], indices[2]]],
  );
  for (const { index, leaf } of records) assert.equal(toHex(leaf), toHex(await device.core.ledger.leafHash(index)));
  const [erased] = stated.erasure.segments;
  assert.equal(erased?.manifest, before?.artifact);
  await assert.rejects(opened(before!.artifact), (error) => error instanceof OciError && error.code === "not-found");
  await registry.manifest(before!.artifact);
  const replacement = await opened(erased!.replacement!);
  assert.deepEqual(
    replacement.rows.map(({ index }) => index),
    [indices[1]],
  );
  assert.equal(replacement.from, before?.from);
  assert.deepEqual((await syncRound(device)).erasures, []);
  await device.close();
  assert.equal((await everyFile(root)).includes("patient-4711-planted"), false, "the subject's id is in a file");
});

test("a segment of which everything was erased has no replacement", async () => {
  const device = await capturing();
  await recordFor(device, ["a", "a"]);
  await syncRound(device);
  await device.erase({ subject: "a" });
  await syncRound(device);
  const [segment] = plane.erasures.at(-1)!.erasure.segments;
  assert.equal(segment?.replacement, undefined);
  assert.equal(segment?.layers.length, 1);
  assert.equal(await registry.hasBlob(segment!.layers[0]!), false);
  await device.close();
});

test("a second erasure in one range replaces the replacement", async () => {
  const device = await capturing();
  const indices = await recordFor(device, ["a", "b", "c"]);
  await syncRound(device);
  await device.erase({ subject: "a" });
  await syncRound(device);
  const [first] = plane.erasures.at(-1)!.erasure.segments;
  await device.erase({ subject: "b" });
  await syncRound(device);
  const { segments } = plane.erasures.at(-1)!.erasure;
  assert.deepEqual(
    segments.map(({ manifest }) => manifest),
    [first?.replacement],
  );
  const { rows } = await opened(segments[0]!.replacement!);
  assert.deepEqual(
    rows.map(({ index }) => index),
    [indices[2]],
  );
  await device.close();
});

test("what is being recorded of a subject when it is erased is erased with it, or is a new subject's", async () => {
  const device = await capturing();
  const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
  const say = (i: number) => device.record({ model, input: `in ${i}`, output: "out", subject: "a" });
  const early = Array.from({ length: 50 }, (_, i) => say(i));
  await early[0];
  const erasing = device.erase({ subject: "a" });
  const late = Array.from({ length: 50 }, (_, i) => say(i));
  const { records } = await erasing;
  for (const { index } of await Promise.all([...early, ...late])) {
    const isGone = (await saltsOf(device, index)).every((salt) => salt === undefined);
    assert.equal(isGone, records.includes(index), `record ${index}`);
  }
  assert.ok(records.length >= 50);
  await device.close();
});

test("killed at each step, an erasure goes on at the next start and is stated once", async () => {
  const device = await capturing();
  const { root: dir, state } = device.core.folder;
  const indices = await recordFor(device, ["a", "b"]);
  await syncRound(device);
  const plans = new ErasurePlans(state);
  const number = device.core.salts.subjectNumber("a")!;
  const leaf = await device.core.ledger.leafHash(indices[0]!);
  // Killed when the plan was durable and nothing else.
  await plans.begin({ origin: device.origin, subject: number, slots: [], records: [{ index: indices[0]!, leaf }] });
  await device.close();
  let again = await openDevice({ dir });
  assert.deepEqual(await saltsOf(again, indices[0]!), [undefined, undefined]);
  assert.equal((await plans.all())[0]?.step, "replace");

  // Each kind of request to registry and log fails once, and the process begins anew.
  const stated = plane.erasures.length;
  const asked = (request: IncomingMessage) => `${request.method} ${request.url?.split("?")[0]}`;
  const failed = new Set<string>();
  let left = 40;
  for (let isOver = false; !isOver; left--) {
    assert.ok(left > 0, "it does not come to an end");
    let broken = false;
    plane.intercept = (request, response) => {
      const what = asked(request).replace(/[0-9a-f-]{32,}/g, "…");
      if (!broken && (failed.has(what) || !/v2|statements/.test(what))) return false;
      failed.add(what);
      broken = true;
      response.writeHead(400).end();
      return true;
    };
    isOver = await syncRound(again).then(
      () => true,
      () => false,
    );
    plane.intercept = () => false;
    await again.close();
    again = await openDevice({ dir });
  }
  assert.ok(
    [...failed].some((what) => what.startsWith("POST /api/v1/statements")),
    [...failed].join("\n"),
  );
  assert.equal(plane.erasures.length, stated + 1);
  const [segment] = plane.erasures.at(-1)!.erasure.segments;
  assert.deepEqual(
    (await opened(segment!.replacement!)).rows.map(({ index }) => index),
    [indices[1]],
  );
  assert.equal((await plans.all())[0]?.step, "done");
  await again.close();
});

test("an answer that is lost does not make two statements of one erasure", async () => {
  const device = await capturing();
  await recordFor(device, ["a"]);
  await device.sync();
  await device.erase({ subject: "a" });
  const stated = plane.erasures.length;
  let lost = false;
  plane.intercept = (request, response) => {
    if (!lost && request.url === "/api/v1/statements") {
      lost = true;
      const { end } = response;
      response.end = () => {
        response.end = end;
        return response.destroy();
      };
    }
    return false;
  };
  await assert.rejects(syncRound(device));
  plane.intercept = () => false;
  assert.equal(plane.erasures.length, stated + 1);
  await syncRound(device);
  assert.ok(lost);
  assert.equal(plane.erasures.length, stated + 1);
  await device.close();
});
