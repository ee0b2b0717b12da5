import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Device, enroll, openDevice } from "@tally/edge";
import { type EntryRequest, type EntryRequestList, parseTrust, type Report, verifyBundle } from "@tally/evidence";
import { type Plane, startPlane } from "@tally/plane";

interface Scene {
  readonly plane: Plane;
  readonly device: Device;
  readonly dir: string;
  ask(method: "GET" | "POST", path: string, body?: object): Promise<{ status: number; bytes: Buffer }>;
  request(to: number | null): Promise<EntryRequest>;
  /** What the plane answers about everything, verified. */
  answer(): Promise<Report>;
}

async function setUp(t: TestContext): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "tally-heads-only-"));
  const plane = await startPlane({ dir: join(folder, "plane"), name: "tally.test/heads", sealIntervalMs: 20 });
  const admin = (await readFile(plane.adminTokenPath, "utf8")).trim();
  const ask = async (method: "GET" | "POST", path: string, body?: object) => {
    const headers = { authorization: `Bearer ${admin}`, "content-type": "application/json" };
    const answer = await fetch(plane.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
  };
  const trustPath = join(folder, "trust.json");
  await writeFile(trustPath, (await ask("GET", "/api/v1/trust")).bytes);
  const { token } = JSON.parse((await ask("POST", "/api/v1/enrolment-tokens", {})).bytes.toString()) as {
    token: string;
  };
  const dir = join(folder, "device");
  await enroll({ dir, url: plane.url, token, trustPath });
  const device = await openDevice({ dir, config: { sync: "heads-only" } });
  t.after(async () => {
    await device.close();
    await plane.close();
    await rm(folder, { recursive: true, force: true });
  });
  const path = `/api/v1/devices/${device.core.identity.deviceId}/entry-requests`;
  return {
    plane,
    device,
    dir,
    ask,
    async request(to) {
      const answer = await ask("POST", path, { to });
      assert.equal(answer.status, 201, answer.bytes.toString());
      return JSON.parse(answer.bytes.toString()) as EntryRequest;
    },
    async answer() {
      await plane.parts.sealer.seal();
      const { bytes } = await ask("GET", `/api/v1/audit?from=1&to=${Date.now() + 1}`);
      return verifyBundle({ bundle: bytes, trust: parseTrust(await readFile(trustPath, "utf8")) });
    },
  };
}

async function record(device: Device, count: number): Promise<void> {
  const model = await device.declare({ grade: "declared", runtime: "test 1", provider: "cpu" });
  const bytes = new Uint8Array(32);
  const content = { mediaType: "application/octet-stream", bytes };
  for (let i = 0; i < count; i += 1) await device.record({ model, input: content, output: content, durationMicros: 1 });
}

/** The results of one check about ledgers. */
function resultsOf(report: Report, name: string): string[] {
  return [...new Set(report.checks.filter((check) => check.name === name).map(({ result }) => result))];
}

test("heads without entries: the plane knows that there is more, says nothing of it, and calls it not delivered", async (t) => {
  const { device, plane, answer } = await setUp(t);
  await record(device, 20);
  const report = await device.sync();
  const { origin } = device.core.identity;
  assert.deepEqual([report.mirrored, report.sent, report.proven], [0, 0, device.core.ledger.size]);
  const log = plane.parts.mirror.log(origin)!;
  assert.deepEqual([log.nextEntry, log.pending?.checkpoint.size], [0, report.proven]);
  const said = await answer();
  assert.deepEqual(resultsOf(said, "delivered"), ["not made"]);
  assert.equal(said.outcome, "not proven");
  assert.equal(said.checks.filter(({ result }) => result === "bad").length, 0);
  // The next head continues this one, with still nothing sent.
  await record(device, 5);
  const next = await device.sync();
  assert.deepEqual([next.sent, log.nextEntry, log.pending?.checkpoint.size], [0, 0, next.proven]);
  assert.ok(next.proven > report.proven);
});

test("entries asked for arrive with the next sync, up to the checkpoint that covers them and no further, and prove", async (t) => {
  const { device, plane, request, answer, ask } = await setUp(t);
  const heads: number[] = [];
  for (const count of [300, 400, 20]) {
    await record(device, count);
    heads.push((await device.sync()).proven);
    await plane.parts.sealer.seal();
  }
  const log = plane.parts.mirror.log(device.core.identity.origin)!;
  const asked = await request(heads[0]! + 10);
  assert.deepEqual([asked.end, asked.delivered], [heads[1], false]);
  assert.equal((await request(heads[0]! + 10)).askedAt, asked.askedAt, "the same again changes nothing");
  const report = await device.sync();
  assert.deepEqual([report.mirrored, report.sent], [heads[1], heads[1]]);
  assert.deepEqual([log.nextEntry, log.mirrored?.checkpoint.size], [heads[1], heads[1]]);
  assert.ok(report.proven > heads[2]!);
  const half = await answer();
  assert.deepEqual(resultsOf(half, "delivered"), ["not made"]);
  assert.equal(half.checks.filter(({ result }) => result === "bad").length, 0);

  const rest = await request(null);
  assert.equal(rest.end, report.proven);
  const last = await device.sync();
  assert.deepEqual([last.mirrored, last.sent], [report.proven, report.proven - heads[1]!]);
  const path = `/api/v1/devices/${device.core.identity.deviceId}/entry-requests`;
  const { requests } = JSON.parse((await ask("GET", path)).bytes.toString()) as EntryRequestList;
  assert.deepEqual(
    requests.map(({ delivered }) => delivered),
    [true, true],
  );
  const status = JSON.parse((await ask("GET", "/api/v1/devices")).bytes.toString()) as {
    devices: { records: number }[];
  };
  assert.equal(status.devices[0]?.records, 720);
});

test("a device that goes back to whole syncs sends everything that it kept", async (t) => {
  const { device, dir, answer } = await setUp(t);
  await record(device, 600);
  await device.sync();
  await device.close();
  const again = await openDevice({ dir, config: { sync: "entries" } });
  t.after(() => again.close());
  const report = await again.sync();
  assert.deepEqual(
    [report.mirrored, report.proven, report.sent],
    [again.core.ledger.size, report.mirrored, report.mirrored],
  );
  const said = await answer();
  // The check is made where something is missing.
  assert.deepEqual(resultsOf(said, "delivered"), []);
  assert.equal(said.answer?.records.length, 600);
});

test("nobody asks for entries that no head covers, nor a device for another's", async (t) => {
  const { device, plane, ask } = await setUp(t);
  await record(device, 5);
  const { proven } = await device.sync();
  const path = `/api/v1/devices/${device.core.identity.deviceId}/entry-requests`;
  assert.equal((await ask("POST", path, { to: proven + 1 })).status, 409);
  assert.equal((await ask("POST", path, { to: 0 })).status, 400);
  assert.equal((await ask("POST", `/api/v1/devices/${"0".repeat(32)}/entry-requests`, { to: 1 })).status, 404);
  const token = await device.session.token();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const refused = await fetch(plane.url + path, { method: "POST", headers, body: '{"to":1}' });
  assert.equal(refused.status, 403);
});
