import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Conflict } from "@tally/ledger";
import { FleetManager } from "../testing/fleet-manager.ts";
import { errorOf } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane } from "../testing/test-plane.ts";

async function diverged(t: TestContext) {
  const plane = await TestPlane.start(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  await device.sync(plane);
  const manager = await FleetManager.of(plane);
  const { note } = device.ledger.latest!;
  const found = {
    origin: device.origin,
    reason: "no proof leads there",
    signed: note,
    offered: note,
    proof: [],
    old: 1,
  };
  const conflict: Conflict = { ...found, kind: "diverged" };
  await plane.plane.parts.fleet.onConflict(conflict);
  return { plane, device, manager, conflict };
}

test("a diverged ledger is let in again by a person's word, and the same finding does not count twice", async (t) => {
  const { plane, device, manager, conflict } = await diverged(t);
  assert.equal((await manager.ledger(device.origin)).state, "diverged");
  const token = await device.freshToken(plane);
  const refused = await device.upload(plane, token);
  assert.ok(refused.status === "refused" && refused.code === 403, JSON.stringify(refused));
  const answer = await manager.reinstate(device.origin);
  assert.equal(answer.status, 201, answer.text);
  assert.equal((await manager.ledger(device.origin)).state, "ok");
  await plane.plane.parts.fleet.onConflict(conflict);
  assert.equal((await manager.ledger(device.origin)).state, "ok");
  await device.freshToken(plane);
  await device.infer();
  assert.equal((await device.sync(plane)).status, "mirrored");
});

test("a diverged ledger that is convicted later is equivocated, and nobody's word lets it in", async (t) => {
  const { plane, device, manager, conflict } = await diverged(t);
  await plane.plane.parts.fleet.onConflict({ ...conflict, kind: "equivocated", offered: `${conflict.offered}— x y\n` });
  assert.equal((await manager.ledger(device.origin)).state, "equivocated");
  assert.equal(errorOf(await manager.reinstate(device.origin))?.code, "conflict");
});

test("only who may manage the fleet decides about it, and only an administrator brings the word", async (t) => {
  const { plane, device, manager } = await diverged(t);
  const publisher = await FleetManager.of(plane, "publisher", ["sign-model"]);
  assert.equal(errorOf(await publisher.revoke(device.origin, null))?.code, "forbidden");
  assert.equal(errorOf(await manager.revoke(device.origin, null, await plane.token("publisher")))?.code, "forbidden");
  assert.equal((await manager.ledger(device.origin)).state, "diverged");
});

test("a person's key that is revoked signs nothing new", async (t) => {
  const { plane, device, manager } = await diverged(t);
  const other = await FleetManager.of(plane, "other");
  const keyId = other.signer.keyId;
  const subject = `sha256:${keyId}` as const;
  const revoked = await manager.decide({
    decision: "revoke",
    subject: subject as never,
    origin: null,
    keyId,
    compromiseTime: 1,
    reason: "lost",
  });
  assert.equal(revoked.status, 201, revoked.text);
  const answer = await other.reinstate(device.origin);
  assert.equal(errorOf(answer)?.code, "forbidden");
  assert.match(answer.text, /is revoked: it signs nothing new/);
});
