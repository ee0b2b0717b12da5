import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  asRootHash,
  type Digest,
  decodeEntry,
  digestFromHash,
  digestOf,
  generatePrivateKeyPem,
  hashFromDigest,
  type Load,
  noteSignerFromPem,
  parseCheckpoint,
  parseTrust,
  signCheckpoint,
  utf8,
  verifyBundle,
} from "@tally/evidence";
import { call } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { planeName, startWitnessed, type TestPlane } from "../testing/test-plane.ts";

async function put(plane: TestPlane, device: TestDevice, bytes: Uint8Array): Promise<Digest> {
  const digest = digestOf(bytes);
  const token = await device.token(plane);
  const path = `/api/v1/blobs/${digest}`;
  assert.equal(
    (await call(plane.url, "PUT", path, { token, body: bytes, type: "application/octet-stream" })).status,
    201,
  );
  return digest;
}

/** An honest device with ten records, and one whose keys an attacker has. */
async function scene(t: TestContext) {
  const { plane } = await startWitnessed(t);
  const folder = await temporaryFolder(t);
  const honest = await TestDevice.enrolled(plane, join(folder, "honest"));
  const attacker = await TestDevice.enrolled(plane, join(folder, "attacker"));
  t.after(() => Promise.all([honest.close(), attacker.close()]));
  for (let i = 0; i < 10; i += 1) await honest.infer();
  await honest.sync(plane);
  return { plane, honest, attacker };
}

/** The answer about everything there is; that it holds for the honest device is what the attacks are to prevent. */
async function answered(plane: TestPlane, { id }: TestDevice) {
  await plane.seal();
  const answer = await plane.call("GET", `/api/v1/audit?from=1&to=${Date.now() + 60_000}`);
  assert.equal(answer.status, 200, answer.text.slice(0, 300));
  const trust = parseTrust((await plane.call("GET", "/api/v1/trust")).text);
  const report = await verifyBundle({ bundle: answer.bytes, trust });
  const bad = report.checks.filter(({ result }) => result === "bad");
  assert.equal(report.answer?.records.filter(({ origin }) => origin.includes(id)).length, 10);
  return { bad, bytes: answer.bytes };
}

test("attack: a device anchors its ledger to garbage that it has stored, to spoil every answer about the fleet", async (t) => {
  const { plane, honest, attacker } = await scene(t);
  const newest = parseCheckpoint((await plane.call("GET", "/log/checkpoint")).text).checkpoint;
  const origin = `${planeName}/log`;
  const forger = noteSignerFromPem(origin, 1, generatePrivateKeyPem("ed25519"));
  const { size, root } = newest;
  const forged = [
    utf8("no note at all"),
    utf8(await signCheckpoint({ origin, size, root }, [forger], 1)),
    utf8(await signCheckpoint({ origin, size: size - 1, root: asRootHash(new Uint8Array(32)) }, [forger], 1)),
    utf8(await signCheckpoint({ origin: "another.example/log", size: 1, root }, [forger], 1)),
    new Uint8Array(1_900_000),
  ];
  for (const bytes of forged) {
    const noteHash = hashFromDigest(await put(plane, attacker, bytes));
    await attacker.append({ kind: "anchor", time: 1, size, root, noteHash });
  }
  assert.equal((await attacker.sync(plane)).status, "mirrored");
  const { bad } = await answered(plane, honest);
  assert.deepEqual(
    bad.filter(({ about }) => about.includes(honest.id)),
    [],
  );
});

test("attack: a device names large blobs as permits, and what others stored, to swell every answer", async (t) => {
  const { plane, honest, attacker } = await scene(t);
  const publisher = await plane.token("publisher");
  const secret = new Uint8Array(5_000_000).fill(3);
  const path = `/api/v1/blobs/${digestOf(secret)}`;
  const stored = await call(plane.url, "PUT", path, {
    token: publisher,
    body: secret,
    type: "application/octet-stream",
  });
  assert.equal(stored.status, 201);
  const permits = [digestOf(secret)];
  for (let i = 0; i < 4; i += 1) permits.push(await put(plane, attacker, new Uint8Array(1_900_000).fill(i)));
  const load = decodeEntry(await attacker.ledger.entry(1)) as Load;
  for (const permit of permits) await attacker.append({ ...load, permit });
  assert.equal((await attacker.sync(plane)).status, "mirrored");
  const { bytes } = await answered(plane, honest);
  assert.ok(bytes.length < 300_000, `${bytes.length} bytes`);
});

test("heads name notes that are kept, however ledgers move while they are written", async (t) => {
  const { plane, honest } = await scene(t);
  const { fleet, mirror, blobs, logs } = plane.plane.parts;
  const then = mirror.log(honest.origin)!;
  const before = { pending: then.pending, mirrored: then.mirrored };
  await honest.infer();
  await honest.upload(plane);
  // The ledger as it was when it is first looked at, and as it is from then on.
  let looks = 0;
  const log = (origin: string) =>
    origin === honest.origin && looks++ === 0 ? (before as ReturnType<typeof mirror.log>) : mirror.log(origin);
  const leaves = await fleet.heads({ log }, logs.fleet.size);
  for (const { pendingNoteHash } of leaves) {
    if (pendingNoteHash !== null) assert.ok((await blobs.has(digestFromHash(pendingNoteHash))) !== undefined);
  }
  assert.equal(leaves.find(({ origin }) => origin === honest.origin)?.pendingSize, before.pending?.checkpoint.size);
});
