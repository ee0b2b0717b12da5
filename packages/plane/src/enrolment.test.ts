import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type DeviceList, decodeEntry, type EnrollResponse, type StatementResponse, toBase64 } from "@tally/evidence";
import { originHash } from "@tally/ledger";
import { FleetManager } from "./testing/fleet-manager.ts";
import { call, errorOf, json } from "./testing/plane-client.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { TestPlane } from "./testing/test-plane.ts";

async function newDevice(t: TestContext): Promise<TestDevice> {
  const device = await TestDevice.create(join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  return device;
}

/** Origins that the fleet log admits, as often as it admits them. */
async function admitted(plane: TestPlane): Promise<string[]> {
  const { fleet } = plane.plane.parts.logs;
  const entries = (await Array.fromAsync(fleet.entries(0, fleet.size))).map((bytes) => decodeEntry(bytes));
  return entries.flatMap((entry) => (entry.kind === "enrol" ? [entry.origin] : []));
}

test("a device enrols with a token, its first entry and proof of its keys", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await newDevice(t);
  const answer = await device.enroll(plane, await plane.enrolmentToken({ name: "ward 3", group: "north" }));
  assert.equal(answer.status, 200, answer.text);
  const { origin, index } = json<EnrollResponse>(answer);
  assert.equal(origin, device.origin);
  const entry = decodeEntry(await plane.plane.parts.logs.fleet.entry(index));
  assert.ok(entry.kind === "enrol" && entry.origin === origin);
  assert.deepEqual(entry.genesisHash, await device.ledger.leafHash(0));
  const [status] = json<DeviceList>(await plane.call("GET", "/api/v1/devices")).devices;
  assert.deepEqual([status?.state, status?.name, status?.group], ["enrolled", "ward 3", "north"]);
});

test("an enrolment whose answer was lost is asked for again, and answered the same", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await newDevice(t);
  const token = await plane.enrolmentToken();
  const first = await device.enroll(plane, token);
  const again = await device.enroll(plane, token);
  assert.equal(again.status, 200);
  assert.equal(again.text, first.text);
  assert.deepEqual(await admitted(plane), [device.origin]);
});

test("a token admits one device: of two that ask at once, one", async (t) => {
  const plane = await TestPlane.start(t);
  const token = await plane.enrolmentToken();
  const devices = [await newDevice(t), await newDevice(t)];
  const requests = await Promise.all(devices.map((device) => device.enrolment(plane, token)));
  const answers = await Promise.all(requests.map((body) => call(plane.url, "POST", "/api/v1/enroll", { token, body })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401]);
  assert.match(answers.find(({ status }) => status === 401)!.text, /has been used/);
  assert.equal((await admitted(plane)).length, 1);
});

test("a token that is unknown, expired or of another kind admits nobody", async (t) => {
  let now = Date.now();
  const plane = await TestPlane.start(t, { clock: { now: () => now } });
  const device = await newDevice(t);
  const token = await plane.enrolmentToken({ expiresIn: 60 });
  const body = await device.enrolment(plane, token);
  now += 60_000;
  for (const other of [token, plane.adminToken, "tly_unknown", undefined]) {
    const answer = await call(plane.url, "POST", "/api/v1/enroll", { token: other, body });
    assert.equal(answer.status, 401, answer.text);
  }
  assert.deepEqual(await admitted(plane), []);
});

test("a thief of a genesis entry without its keys, and a liar about what is in it, are refused", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await newDevice(t);
  const thief = await newDevice(t);
  const token = await plane.enrolmentToken();
  const good = await device.enrolment(plane, token);
  const stolen = await thief.enrolment(plane, token);
  const bodies = {
    "signed by other keys": { ...good, checkpoint: stolen.checkpoint },
    "another first entry": { ...good, genesis: stolen.genesis },
    "another device id": { ...good, deviceId: thief.id },
    "another origin": { ...good, origin: `${good.origin}0` },
    "not an entry": { ...good, genesis: toBase64(new Uint8Array([1, 2, 3])) },
    "not base64": { ...good, genesis: "***" },
    "a checkpoint of more than the first entry": await longer(plane, device, good),
  };
  for (const [lie, body] of Object.entries(bodies)) {
    const answer = await call(plane.url, "POST", "/api/v1/enroll", { token, body });
    assert.equal(answer.status, 400, `${lie}: ${answer.text}`);
    assert.equal(errorOf(answer)?.code, "bad-request", lie);
  }
  assert.deepEqual(await admitted(plane), []);
  assert.equal((await call(plane.url, "POST", "/api/v1/enroll", { token, body: good })).status, 200);
});

async function longer(plane: TestPlane, device: TestDevice, good: object): Promise<object> {
  await device.load();
  const { note } = await device.ledger.seal();
  assert.ok(plane.url);
  return { ...good, checkpoint: note };
}

test("a plane that stopped between the fleet log and its own tables admits the device once", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await newDevice(t);
  const token = await plane.enrolmentToken({ name: "ward 3" });
  const first = await device.enroll(plane, token);
  // As after a kill: the entry is durable, the row that was to follow is not.
  await plane.plane.parts.db.run("DELETE FROM device WHERE origin = ?", [device.origin]);
  await plane.stop();
  await plane.start();
  const again = await device.enroll(plane, token);
  assert.equal(again.text, first.text);
  assert.deepEqual(await admitted(plane), [device.origin]);
  const [status] = json<DeviceList>(await plane.call("GET", "/api/v1/devices")).devices;
  assert.equal(status?.name, "ward 3");
});

test("a device opens a session by signing a nonce of the plane, each nonce once", async (t) => {
  let now = Date.now();
  const plane = await TestPlane.start(t, { clock: { now: () => now } });
  const device = await newDevice(t);
  await device.enroll(plane, await plane.enrolmentToken());
  const other = await newDevice(t);
  await other.enroll(plane, await plane.enrolmentToken());
  const nonce = async (origin = device.origin) =>
    json<{ nonce: string }>(await call(plane.url, "POST", "/api/v1/sessions/nonce", { body: { origin } })).nonce;
  const open = (body: object) => call(plane.url, "POST", "/api/v1/sessions", { body });

  const good = await nonce();
  const body = { origin: device.origin, nonce: good, signature: await device.sign(good) };
  const opened = json<{ token: string; expires: number }>(await open(body));
  assert.equal(opened.expires, now + 3_600_000);
  assert.equal((await open(body)).status, 401, "used twice");

  const forged = await nonce();
  const byOther = await other.sign(forged, device.origin);
  assert.equal((await open({ origin: device.origin, nonce: forged, signature: byOther })).status, 401, "other key");

  const foreign = await nonce(other.origin);
  const moved = { origin: device.origin, nonce: foreign, signature: await device.sign(foreign) };
  assert.equal((await open(moved)).status, 401, "nonce of another origin");

  const late = await nonce();
  now += 61_000;
  assert.equal((await open({ origin: device.origin, nonce: late, signature: await device.sign(late) })).status, 401);
  now += 3_600_000;
  assert.equal((await plane.call("GET", "/log/checkpoint", { token: opened.token })).status, 401, "an hour later");
});

test("strangers who ask for nonces without end keep no device out", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await newDevice(t);
  await device.enroll(plane, await plane.enrolmentToken());
  const { sessions, fleet } = plane.plane.parts;
  const nonce = sessions.nonce(device.origin);
  for (let i = 0; i < 20_000; i += 1) sessions.nonce("anyone");
  const signature = await device.sign(nonce);
  assert.ok((await sessions.open(device.origin, nonce, signature, await fleet.keySet(device.origin))).token);
});

test("a device's token is for its own ledger only", async (t) => {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const [one, two] = [
    await TestDevice.enrolled(plane, join(folder, "1")),
    await TestDevice.enrolled(plane, join(folder, "2")),
  ];
  t.after(() => Promise.all([one.close(), two.close()]));
  const token = await one.token(plane);
  const result = await two.upload(plane, token);
  assert.ok(result.status === "refused" && result.code === 403, JSON.stringify(result));
  assert.equal((await plane.call("GET", `/api/v1/devices/${two.id}`, { token })).status, 403);
  assert.equal((await plane.call("GET", `/api/v1/receipts/${two.id}/0`, { token })).status, 403);
  assert.equal((await plane.call("GET", `/api/v1/devices/${one.id}`, { token })).status, 200);
  await one.sync(plane);
  await two.sync(plane);
  const mirrorOf = ({ origin }: TestDevice) => `/mirror/${originHash(origin)}/checkpoint`;
  assert.equal((await plane.call("GET", mirrorOf(one), { token })).status, 200);
  assert.equal((await plane.call("GET", mirrorOf(two), { token })).status, 403);
  assert.equal((await plane.call("GET", mirrorOf(two))).status, 200);
});

test("a revoked device is kept out at once, sessions included, and the fleet log says so", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const token = await device.token(plane);
  const manager = await FleetManager.of(plane);
  const revoked = await manager.revoke(device.origin, null);
  assert.equal(revoked.status, 201, revoked.text);
  assert.equal((await plane.call("GET", "/log/checkpoint", { token })).status, 401);
  const session = await device.openSession(plane);
  assert.equal(errorOf(session)?.code, "blocked");
  const { fleet } = plane.plane.parts.logs;
  const last = await fleet.entry(fleet.size - 1);
  const entry = decodeEntry(last);
  assert.ok(entry.kind === "revoke" && entry.origin === device.origin);
  assert.equal(entry.statement, json<StatementResponse>(revoked).digest);
  assert.ok(!Buffer.from(last).includes("stolen"), "no free text in the log");
});
