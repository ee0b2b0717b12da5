import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  asHash,
  checkEquivocation,
  type DeviceList,
  type DeviceStatus,
  decodeEntry,
  encodeEntry,
  fromBase64,
  type Genesis,
  hashLeaf,
  parseCheckpoint,
  parseTrust,
  rootOf,
  verifyBundle,
  verifySubtreeConsistency,
} from "@tally/evidence";
import { call, errorOf, json } from "./testing/plane-client.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { startWitnessed, TestPlane } from "./testing/test-plane.ts";

async function statusOf(plane: TestPlane, { id }: TestDevice): Promise<DeviceStatus> {
  return json<DeviceList>(await plane.call("GET", `/api/v1/devices/${id}`)).devices[0]!;
}

/** A device that has synced some records, beside another that has nothing to do with what follows. */
async function twoSynced(
  t: TestContext,
  plane: TestPlane,
): Promise<{ device: TestDevice; other: TestDevice; folder: string }> {
  const folder = await temporaryFolder(t);
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  const other = await TestDevice.enrolled(plane, join(folder, "other"));
  for (const each of [device, other]) {
    for (let i = 0; i < 5; i += 1) await each.infer();
    assert.equal((await each.sync(plane)).status, "mirrored");
  }
  t.after(() => other.close());
  return { device, other, folder };
}

async function keySetOf(device: TestDevice) {
  return (decodeEntry(await device.ledger.entry(0)) as Genesis).keySet;
}

test("a clone: the original syncs first, the clone offers its branch, both are blocked with evidence anyone can check", async (t) => {
  const { plane } = await startWitnessed(t);
  const { device, other, folder } = await twoSynced(t, plane);
  const { original, copy } = await device.clone(join(folder, "clone"));
  t.after(() => Promise.all([original.close(), copy.close()]));
  for (let i = 0; i < 3; i += 1) await original.infer();
  assert.equal((await original.sync(plane)).status, "mirrored");
  for (let i = 0; i < 9; i += 1) await copy.infer();
  const offered = await copy.sync(plane);
  assert.equal(offered.status, "refused");

  const status = await statusOf(plane, original);
  assert.equal(status.state, "equivocated");
  const [conflict] = status.conflicts;
  assert.equal(conflict?.kind, "equivocated");
  const evidence = json<{ held: string; refused: string; proof: string[] }>(
    await plane.call("GET", `/api/v1/blobs/${conflict?.evidence}`),
  );
  const [row] = await plane.plane.parts.source.contradictions(original.origin);
  const finding = checkEquivocation({
    noteA: evidence.held,
    noteB: evidence.refused,
    proof: row!.proof,
    keySet: await keySetOf(original),
  });
  assert.ok(finding.proven, finding.reason);

  for (const holder of [original, copy]) {
    assert.equal(errorOf(await holder.openSession(plane))?.code, "blocked");
    const token = await holder.token(plane);
    assert.equal((await plane.call("GET", "/log/checkpoint", { token })).status, 401, "its session has ended");
  }
  for (let i = 0; i < 5; i += 1) await other.infer();
  assert.equal((await other.sync(plane)).status, "mirrored", "others are not disturbed");
  assert.equal((await statusOf(plane, other)).state, "ok");

  await plane.seal();
  const answer = await plane.call("GET", `/api/v1/audit?from=1&to=${Date.now() + 5_000}`);
  const trust = parseTrust((await plane.call("GET", "/api/v1/trust")).text);
  const report = await verifyBundle({ bundle: answer.bytes, trust });
  assert.ok(
    report.checks.some(({ result, about }) => result === "bad" && about.includes(original.id)),
    "the answer names the equivocation",
  );
});

test("a block outlives a restart", async (t) => {
  const plane = await TestPlane.start(t);
  const { device, folder } = await twoSynced(t, plane);
  const { original, copy } = await device.clone(join(folder, "clone"));
  t.after(() => Promise.all([original.close(), copy.close()]));
  await original.infer();
  await original.sync(plane);
  for (let i = 0; i < 9; i += 1) await copy.infer();
  await copy.sync(plane);
  await plane.stop();
  await plane.start();
  assert.equal((await statusOf(plane, original)).state, "equivocated");
  assert.equal(errorOf(await original.openSession(plane))?.code, "blocked");
});

test("a ledger cut below its synced head and continued cannot sync past it", async (t) => {
  const plane = await TestPlane.start(t);
  const { device, folder } = await twoSynced(t, plane);
  // Cut: the copy is from before the last records were synced, and then goes on in its own way.
  const { original, copy } = await device.clone(join(folder, "cut"));
  t.after(() => Promise.all([original.close(), copy.close()]));
  for (let i = 0; i < 20; i += 1) await original.infer();
  await original.sync(plane);
  const held = await statusOf(plane, original);
  await copy.infer();
  const result = await copy.sync(plane);
  assert.notEqual(result.status, "mirrored");
  const after = await statusOf(plane, original);
  assert.equal(after.mirroredSize, held.mirroredSize);
  assert.equal(after.state, "equivocated");
});

test("a device that is only behind its own mirror is no attacker", async (t) => {
  const plane = await TestPlane.start(t);
  const { device, folder } = await twoSynced(t, plane);
  const { original, copy } = await device.clone(join(folder, "old"));
  t.after(() => Promise.all([original.close(), copy.close()]));
  await original.infer();
  await original.sync(plane);
  const result = await copy.upload(plane);
  assert.equal(result.status, "behind");
  const status = await statusOf(plane, original);
  assert.deepEqual([status.state, status.conflicts], ["ok", []]);
});

test("a wrong ordinal convicts: entries before it stay, nothing after it comes in", async (t) => {
  const plane = await TestPlane.start(t);
  const { device, other } = await twoSynced(t, plane);
  t.after(() => device.close());
  const held = (await statusOf(plane, device)).mirroredSize;
  await device.infer(99);
  const result = await device.upload(plane);
  assert.ok(result.status === "refused" && result.step === "add-entries", JSON.stringify(result));
  const status = await statusOf(plane, device);
  assert.equal(status.state, "diverged");
  assert.match(status.conflicts[0]!.reason, /ordinal/);
  const evidence = json<{
    refused: string;
    proof: string[];
    entries: { start: number; end: number; entries: string[] };
  }>(await plane.call("GET", `/api/v1/blobs/${status.conflicts[0]!.evidence}`));
  const { start, end, entries } = evidence.entries;
  const leaves = entries.map((entry) => hashLeaf(fromBase64(entry)));
  const { size, root } = parseCheckpoint(evidence.refused).checkpoint;
  const proof = evidence.proof.map((hash) => asHash(fromBase64(hash)));
  verifySubtreeConsistency(start, end, size, rootOf(leaves), root, proof);
  assert.equal(status.mirroredSize, held);
  const token = await device.freshToken(plane);
  const kept = await plane.call("GET", "/log/checkpoint", { token });
  assert.equal(errorOf(kept)?.code, "blocked", "what it offers is looked at, and that is all");
  assert.equal((await other.sync(plane)).status, "mirrored");
});

test("a wrong summary convicts", async (t) => {
  const plane = await TestPlane.start(t);
  const { device } = await twoSynced(t, plane);
  t.after(() => device.close());
  const { ledger } = device;
  const lie = {
    kind: "summary",
    time: 1,
    runStart: 0,
    loads: [{ loadIndex: 1, count: 1, unloadIndex: null }],
  } as const;
  await ledger.append(encodeEntry(lie)).committed;
  assert.equal((await device.upload(plane)).status, "refused");
  const status = await statusOf(plane, device);
  assert.equal(status.state, "diverged");
  assert.match(status.conflicts[0]!.reason, /summary/);
});

test("entries that are none convict their device and disturb nobody", async (t) => {
  const plane = await TestPlane.start(t);
  const { device, other } = await twoSynced(t, plane);
  t.after(() => device.close());
  await device.ledger.append(new Uint8Array([0xff, 0x00])).committed;
  assert.equal((await device.upload(plane)).status, "refused");
  assert.equal((await statusOf(plane, device)).state, "diverged");
  assert.equal((await other.sync(plane)).status, "mirrored");
});

test("a checkpoint that lacks one of the device's two signatures is not taken", async (t) => {
  const plane = await TestPlane.start(t);
  const { device } = await twoSynced(t, plane);
  t.after(() => device.close());
  const token = await device.token(plane);
  const before = device.ledger.size;
  await device.infer();
  const { note } = await device.ledger.seal();
  const proof = await device.ledger.consistencyProof(before, device.ledger.size);
  const lines = note.split("\n").filter((line) => !(line.startsWith("— ") && line.length > 2000));
  const body = `old ${before}\n${proof.map((hash) => `${Buffer.from(hash).toString("base64")}\n`).join("")}\n${lines.join("\n")}`;
  const answer = await call(plane.url, "POST", "/add-checkpoint", {
    token,
    body: new TextEncoder().encode(body),
    type: "text/plain",
  });
  assert.equal(answer.status, 403, answer.text);
});
