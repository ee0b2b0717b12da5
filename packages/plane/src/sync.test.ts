import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  type DeviceList,
  decodeEntry,
  decodeEntryBundle,
  digestOf,
  headsRoot,
  parseCheckpoint,
  parseTrust,
  quorumMet,
  utf8,
  verifyBundle,
  verifyNote,
  witnessNames,
} from "@tally/evidence";
import { call, json } from "./testing/plane-client.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { planeName, startWitnessed, TestPlane } from "./testing/test-plane.ts";

const model = digestOf(utf8("a model"));

test("the plane's log begins with heads of no ledgers, the fleet log with the plane's own keys", async (t) => {
  const plane = await TestPlane.start(t);
  const first = async (log: string) => {
    const { bytes } = await plane.call("GET", `/${log}/tile/entries/000.p/1`);
    return decodeEntry(decodeEntryBundle(bytes)[0]!);
  };
  const heads = await first("log");
  assert.ok(heads.kind === "heads" && heads.n === 0 && heads.fleetSize === 1);
  const keys = await first("fleet");
  assert.ok(keys.kind === "keys" && keys.origin === planeName);
  assert.deepEqual(
    keys.keySet.map(({ type }) => type),
    [1, 6],
  );
});

test("what is served carries both of the plane's signatures and the witness's", async (t) => {
  const { plane } = await startWitnessed(t);
  const trust = await plane.trust();
  const { text } = await plane.call("GET", "/log/checkpoint");
  const witnesses = [...trust.policy.witnesses.values()].map(({ key }) => key);
  const signatures = verifyNote(parseCheckpoint(text).note, [...trust.plane.log, ...witnesses]);
  assert.deepEqual(signatures.map(({ key }) => [key.name, key.type]).sort(), [
    [`${planeName}/log`, 1],
    [`${planeName}/log`, 6],
    ["witness.test/one", 4],
  ]);
  assert.ok(quorumMet(trust.policy, witnessNames(trust.policy, signatures)));
});

test("a synced ledger is mirrored, committed to by heads, and shown with its records", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"), "ward 3");
  t.after(() => device.close());
  await plane.seal();
  for (let i = 0; i < 600; i += 1) await device.infer();
  await device.load(model, "refused");
  const result = await device.sync(plane);
  assert.ok(result.status === "mirrored" && result.mirror.length === 2 && result.witness.length === 2);
  await plane.seal();

  const { source } = plane.plane.parts;
  const newest = await source.newest();
  assert.equal(newest?.size, witness.size);
  const headsIndex = (await source.lastHeadsBelow(newest!.size))!;
  const entry = decodeEntry(await source.log.entry(headsIndex));
  const leaves = await source.headsLeaves(headsIndex);
  assert.ok(entry.kind === "heads");
  assert.deepEqual(headsRoot(leaves), entry.root);
  assert.deepEqual(
    leaves.map(({ origin, pendingSize, mirroredSize }) => [origin, pendingSize, mirroredSize]),
    [[device.origin, device.ledger.size, device.ledger.size]],
  );

  const [status] = json<DeviceList>(await plane.call("GET", "/api/v1/devices")).devices;
  assert.equal(status?.state, "ok");
  assert.equal(status?.name, "ward 3");
  assert.equal(status?.records, 600);
  assert.equal(status?.mirroredSize, device.ledger.size);
  assert.deepEqual(
    status?.refusals.map(({ manifest, reason }) => [manifest, reason]),
    [[model, "file-mismatch"]],
  );
});

test("no log, tile or bundle holds what people call a device", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"), "name-of-a-person");
  t.after(() => device.close());
  await device.sync(plane);
  await plane.seal();
  for (const log of [plane.plane.parts.logs.log, plane.plane.parts.logs.fleet]) {
    for await (const entry of log.entries(0, log.size)) {
      assert.ok(!Buffer.from(entry).includes("name-of-a-person"));
    }
  }
});

test("an answer about synced records verifies from the trust file alone", async (t) => {
  const { plane } = await startWitnessed(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const from = Date.now() - 5_000;
  await plane.seal();
  for (let i = 0; i < 10; i += 1) await device.infer();
  await device.sync(plane);
  await plane.seal();
  const answer = await plane.call("GET", `/api/v1/audit?from=${from}&to=${Date.now() + 5_000}`);
  assert.equal(answer.status, 200, answer.text);
  const trust = parseTrust((await plane.call("GET", "/api/v1/trust")).text);
  const report = await verifyBundle({ bundle: answer.bytes, trust });
  assert.deepEqual(
    report.checks.filter(({ result }) => result === "bad"),
    [],
  );
  assert.equal(report.answer?.records.length, 10);
});

test("with its witness away the plane keeps taking entries and serves what was cosigned before", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  await plane.seal();
  const before = (await plane.call("GET", "/log/checkpoint")).text;
  await witness.stop();
  const size = () => parseCheckpoint(before).checkpoint.size;
  assert.equal((await device.sync(plane)).status, "mirrored");
  await plane.seal();
  const during = parseCheckpoint((await plane.call("GET", "/log/checkpoint")).text).checkpoint;
  assert.equal(during.size, size());
  const ready = json<{ witnesses: { agrees: boolean }[] }>(await call(plane.url, "GET", "/readyz"));
  assert.deepEqual(
    ready.witnesses.map(({ agrees }) => agrees),
    [false],
  );
  await witness.start();
  await plane.seal();
  const after = parseCheckpoint((await plane.call("GET", "/log/checkpoint")).text).checkpoint;
  assert.ok(after.size > size());
  assert.equal(after.size, witness.size);
});
