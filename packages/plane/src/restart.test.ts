import assert from "node:assert/strict";
import { cp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type DeviceList, parseCheckpoint, type Readiness, verifyConsistency } from "@tally/evidence";
import { checkLedger } from "@tally/ledger";
import { call, json } from "./testing/plane-client.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { planeName, startWitnessed, TestPlane, TestWitness } from "./testing/test-plane.ts";

async function checkpointOf(plane: TestPlane) {
  return parseCheckpoint((await plane.call("GET", "/log/checkpoint")).text).checkpoint;
}

/** A copy of the folder as a backup has it. */
async function copyFolder(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  for (const name of await readdir(to, { recursive: true })) {
    if (/(^|\/)lock\.[^/]*$/.test(name)) await rm(join(to, name), { recursive: true });
  }
}

test("a restart keeps tokens, devices, ledgers and logs, and the log goes on from where it was", async (t) => {
  const { plane } = await startWitnessed(t);
  const folder = await temporaryFolder(t);
  const device = await TestDevice.enrolled(plane, join(folder, "device"), "ward 3");
  t.after(() => device.close());
  const auditor = await plane.token("auditor");
  for (let i = 0; i < 300; i += 1) await device.infer();
  await device.sync(plane);
  await plane.seal();
  const devices = (await plane.call("GET", "/api/v1/devices")).text;
  const before = await checkpointOf(plane);
  const admin = plane.adminToken;
  await plane.stop();
  await plane.start();
  assert.equal(plane.adminToken, admin, "the first administrator's token is written once");
  assert.equal((await call(plane.url, "GET", "/api/v1/devices", { token: auditor })).text, devices);
  for (let i = 0; i < 300; i += 1) await device.infer();
  assert.equal((await device.sync(plane)).status, "mirrored");
  await plane.seal();
  const after = await checkpointOf(plane);
  assert.ok(after.size > before.size);
  const proof = await plane.plane.parts.logs.log.consistencyProof(before.size, after.size);
  verifyConsistency(before.size, after.size, before.root, after.root, proof);
  assert.equal(json<DeviceList>(await plane.call("GET", "/api/v1/devices")).devices[0]?.records, 600);
  await plane.stop();
  for (const log of ["log", "fleet"]) {
    const report = await checkLedger(join(plane.dir, "logs", log));
    assert.equal(report.ok, true, JSON.stringify(report));
  }
});

test("a fleet row that a stop has cost is in the heads of the next start", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  await plane.plane.parts.db.run("DELETE FROM device WHERE origin = ?", [device.origin]);
  await plane.stop();
  await plane.start();
  await plane.seal();
  const { source } = plane.plane.parts;
  const newest = await source.newest();
  const leaves = await source.headsLeaves((await source.lastHeadsBelow(newest!.size))!);
  assert.deepEqual(
    leaves.map(({ origin }) => origin),
    [device.origin],
  );
});

test("a plane restored from an old copy is found out by its witness before it signs anything", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  const folder = await temporaryFolder(t);
  await plane.stop();
  await copyFolder(plane.dir, join(folder, "backup"));
  await plane.start();
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  await device.sync(plane);
  await plane.seal();
  const seen = witness.size;
  await plane.stop();

  const restored = new TestPlane(join(folder, "backup"), { witnessPolicy: witness.policy });
  t.after(() => restored.stop());
  await restored.start();
  const { log, fleet } = restored.plane.parts.logs;
  const signed = [log.latest?.note, fleet.latest?.note];
  const ready = await call(restored.url, "GET", "/readyz");
  assert.equal(ready.status, 503);
  assert.match(json<Readiness>(ready).problem ?? "", new RegExp(`at size ${seen}`));
  await restored.enrolmentToken();
  await restored.seal().catch(() => {});
  await restored.seal().catch(() => {});
  assert.deepEqual([log.latest?.note, fleet.latest?.note], signed, "nothing was signed");
  assert.equal(witness.size, seen);
});

test("a plane whose witness is away at the start signs nothing until it has been asked", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  await plane.stop();
  await witness.stop();
  await plane.start();
  const { log } = plane.plane.parts.logs;
  const signed = log.latest?.note;
  await plane.plane.parts.logs.append("fleet", {
    kind: "decommission",
    origin: `${planeName}/d/none/0`,
    statement: null,
  });
  await assert.rejects(plane.seal(), { code: "not-ready", message: /too few witnesses/ });
  assert.equal(log.latest?.note, signed);
  assert.equal((await call(plane.url, "GET", "/healthz")).status, 200);
  assert.equal((await call(plane.url, "GET", "/readyz")).status, 503);
  await witness.start();
  await plane.seal();
  assert.ok(log.latest !== undefined && log.latest.note !== signed);
  assert.equal(witness.size, log.latest.checkpoint.size);
});

test("a witness that lost its memory is brought up to date", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  await plane.seal();
  await plane.stop();
  await witness.forget();
  await plane.start();
  await plane.seal();
  assert.equal(witness.size, plane.plane.parts.logs.log.latest?.checkpoint.size);
});

test("two planes with one key are found out while they run", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  const folder = await temporaryFolder(t);
  await plane.stop();
  await copyFolder(plane.dir, join(folder, "twin"));
  await plane.start();
  const twin = new TestPlane(join(folder, "twin"), { witnessPolicy: witness.policy });
  t.after(() => twin.stop());
  await twin.start();
  for (const [i, one] of [plane, twin].entries()) {
    const device = await TestDevice.enrolled(one, join(folder, `device-${i}`));
    t.after(() => device.close());
    await device.sync(one);
    await one.seal().catch(() => {});
  }
  assert.equal((await call(plane.url, "GET", "/readyz")).status, 200);
  const ready = await call(twin.url, "GET", "/readyz");
  assert.equal(ready.status, 503, ready.text);
});

test("an empty folder with witnesses starts only when a new plane is meant", async (t) => {
  const dir = join(await temporaryFolder(t), "plane");
  const witness = await TestWitness.start(t, join(await temporaryFolder(t), "elsewhere"));
  const plane = new TestPlane(dir, { witnessPolicy: witness.policy });
  await assert.rejects(plane.start(), { code: "configuration", hint: /--init/ });
});

test("a folder keeps its name, and its secrets for its owner", async (t) => {
  const plane = await TestPlane.start(t);
  const modeOf = async (path: string) => (await stat(join(plane.dir, path))).mode & 0o777;
  assert.equal(await modeOf("admin.token"), 0o600);
  assert.equal(await modeOf("keys"), 0o700);
  for (const file of await readdir(join(plane.dir, "keys")))
    assert.equal(await modeOf(join("keys", file)), 0o600, file);
  await plane.stop();
  await assert.rejects(plane.start({ name: "tally.test/other" }), {
    code: "configuration",
    message: /folder of plane/,
  });
});

test("plain HTTP is for loopback alone", async (t) => {
  const plane = new TestPlane(join(await temporaryFolder(t), "plane"), {});
  await assert.rejects(plane.start({ host: "0.0.0.0" }), { code: "configuration", message: /would show tokens/ });
});
