import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type DeviceList,
  decodeEntry,
  type EnrollResponse,
  headsRoot,
  parseTrust,
  type Trust,
  verifyBundle,
} from "@tally/evidence";
import { checkLedger, LedgerError } from "@tally/ledger";
import { call, json } from "./testing/plane-client.ts";
import { PlaneProcess } from "./testing/plane-process.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { TestPlane, TestWitness } from "./testing/test-plane.ts";

test("kill -9 at any moment of a sync: the next start goes on, and what was acknowledged is proven", async (t) => {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "plane");
  const witness = await TestWitness.start(t, dir);
  let plane = await PlaneProcess.start(t, dir, witness.policy);
  const device = await TestDevice.create(join(folder, "device"));
  t.after(() => device.close());
  const enrolled = await device.enroll(plane, await plane.enrolmentToken());
  assert.equal(json<EnrollResponse>(enrolled).origin, device.origin);
  await device.load();
  let acknowledged = 0;
  let interrupted = 0;
  for (let round = 0; round < 6; round += 1) {
    for (let i = 0; i < 2_000; i += 1) device.queueInference();
    await device.summary();
    // Killed when so many requests of the sync have been answered: each round somewhere else.
    const killAfter = round % 3;
    let answered = 0;
    let killed: Promise<void> | undefined;
    const counting: typeof fetch = async (...request) => {
      if (answered === killAfter) killed ??= plane.kill();
      const response = await fetch(...request);
      answered += 1;
      return response;
    };
    try {
      const result = await device.upload(plane, await device.freshToken(plane), counting);
      if (result.status === "mirrored") acknowledged = result.size;
    } catch (error) {
      assert.ok(error instanceof LedgerError && error.code === "unreachable", String(error));
      interrupted += 1;
    }
    await (killed ?? plane.kill());
    for (const log of ["log", "fleet"]) {
      const report = await checkLedger(join(dir, "logs", log));
      assert.ok(report.ok, JSON.stringify(report.problems));
    }
    plane = await PlaneProcess.start(t, dir, witness.policy);
    const status = json<DeviceList>(
      await call(plane.url, "GET", `/api/v1/devices/${device.id}`, { token: plane.adminToken }),
    ).devices[0]!;
    assert.ok(status.mirroredSize >= acknowledged, "what was acknowledged is there");
    assert.deepEqual(status.conflicts, []);
  }
  assert.ok(interrupted >= 4, `${interrupted} of 6 syncs were interrupted`);

  const result = await device.upload(plane, await device.freshToken(plane));
  assert.ok(result.status === "mirrored" && result.size === device.ledger.size);
  await plane.kill();
  await provesAll(t, dir, witness, device);
});

/** Opens the folder in this process: heads rebuild, counts are right, and an answer verifies. */
async function provesAll(t: TestContext, dir: string, witness: TestWitness, device: TestDevice): Promise<void> {
  const opened = await TestPlane.start(t, { dir, witnessPolicy: witness.policy });
  await opened.seal();
  const { source } = opened.plane.parts;
  const newest = await source.newest();
  const headsIndex = (await source.lastHeadsBelow(newest!.size))!;
  const entry = decodeEntry(await source.log.entry(headsIndex));
  assert.ok(entry.kind === "heads");
  assert.deepEqual(headsRoot(await source.headsLeaves(headsIndex)), entry.root);
  const status = json<DeviceList>(await opened.call("GET", `/api/v1/devices/${device.id}`)).devices[0]!;
  assert.equal(status.records, 12_000);
  const trust: Trust = parseTrust((await opened.call("GET", "/api/v1/trust")).text);
  const answer = await opened.call("GET", `/api/v1/audit?from=1&to=${Date.now() + 60_000}`);
  assert.equal(answer.status, 200, answer.text);
  const report = await verifyBundle({ bundle: answer.bytes, trust });
  assert.deepEqual(
    report.checks.filter(({ result }) => result === "bad"),
    [],
  );
  assert.equal(report.answer?.recordCount, 12_000);
}
