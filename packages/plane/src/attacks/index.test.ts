import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type DeviceList, type DeviceStatus, parseTrust, verifyBundle } from "@tally/evidence";
import { json } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane } from "../testing/test-plane.ts";

async function scene(t: TestContext) {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  for (let i = 0; i < 300; i += 1) device.queueInference();
  assert.equal((await device.sync(plane)).status, "mirrored");
  return { plane, device, folder };
}

async function statusOf(plane: TestPlane, { id }: TestDevice): Promise<DeviceStatus> {
  return json<DeviceList>(await plane.call("GET", `/api/v1/devices/${id}`)).devices[0]!;
}

async function assertWhole(plane: TestPlane, device: TestDevice, records: number): Promise<void> {
  const status = await statusOf(plane, device);
  assert.deepEqual([status.state, status.conflicts, status.records], ["ok", [], records]);
  await plane.seal();
  const answer = await plane.call("GET", `/api/v1/audit?from=1&to=${Date.now() + 60_000}`);
  const trust = parseTrust((await plane.call("GET", "/api/v1/trust")).text);
  const report = await verifyBundle({ bundle: answer.bytes, trust });
  assert.deepEqual(
    report.checks.filter(({ result }) => result === "bad"),
    [],
  );
  assert.equal(report.answer?.records.length, records);
}

test("a database that fails while entries come in is the plane's failure and convicts nobody", async (t) => {
  const { plane, device } = await scene(t);
  t.after(() => device.close());
  const { db } = plane.plane.parts;
  await device.infer();
  for (const table of ["package", "run", "stating"]) {
    await db.run(`ALTER TABLE ${table} RENAME TO away`);
    const result = await device.upload(plane).catch((error: Error) => error.message);
    assert.ok(
      typeof result === "string" || (result.status === "refused" && result.code === 500),
      JSON.stringify(result),
    );
    await db.run(`ALTER TABLE away RENAME TO ${table}`);
    assert.deepEqual((await statusOf(plane, device)).conflicts, []);
    await device.infer();
    await device.summary();
  }
  assert.equal((await device.sync(plane)).status, "mirrored");
  await assertWhole(plane, device, 304);
});

test("an index that is older than the mirror is read anew, and convicts nobody meanwhile", async (t) => {
  const { plane, device } = await scene(t);
  t.after(() => device.close());
  const { db } = plane.plane.parts;
  const tables = ["run", "package", "load", "anchor", "stating", "segment"];
  for (const table of tables) await db.run(`DELETE FROM ${table}`);
  await plane.stop();
  await plane.start();
  await device.infer();
  await device.freshToken(plane);
  assert.equal((await device.sync(plane)).status, "mirrored");
  await assertWhole(plane, device, 301);
});

test("a conflict that a kill kept from the tables blocks from the next start on", async (t) => {
  const { plane, device, folder } = await scene(t);
  const { original, copy } = await device.clone(join(folder, "clone"));
  t.after(() => Promise.all([original.close(), copy.close()]));
  await original.infer();
  await original.sync(plane);
  for (let i = 0; i < 3; i += 1) await copy.infer();
  assert.equal((await copy.sync(plane)).status, "refused");
  const { db } = plane.plane.parts;
  const before = await statusOf(plane, original);
  assert.equal(before.state, "equivocated");
  // As after a kill: the mirror has kept the evidence, the tables have not heard of it.
  await db.run("DELETE FROM conflict");
  await db.run("UPDATE device SET state = 'ok'");
  await plane.stop();
  await plane.start();
  const after = await statusOf(plane, original);
  assert.equal(after.state, "equivocated");
  assert.deepEqual(
    after.conflicts.map(({ kind, reason }) => [kind, reason]),
    before.conflicts.map(({ kind, reason }) => [kind, reason]),
  );
});
