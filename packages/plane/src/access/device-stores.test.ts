import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Digest, digestOf, utf8 } from "@tally/evidence";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane, type TestPlaneOptions } from "../testing/test-plane.ts";

const day = 86_400_000;

async function scene(t: TestContext, options: TestPlaneOptions = {}) {
  const time = { now: Date.now() };
  const plane = await TestPlane.start(t, { clock: { now: () => time.now }, ...options });
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const put = async (text: string, by = device): Promise<Digest> => {
    const body = utf8(text);
    const path = `/api/v1/blobs/${digestOf(body)}`;
    const token = await by.freshToken(plane);
    const { status } = await plane.call("PUT", path, { token, body, type: "application/octet-stream" });
    assert.equal(status, 201);
    return digestOf(body);
  };
  const there = async (digest: Digest) => (await plane.call("GET", `/api/v1/blobs/${digest}`)).status === 200;
  /** An entry that names a blob. */
  const name = (permit: Digest) =>
    device.append({
      kind: "load",
      time: Date.now(),
      manifest: digestOf(utf8("a model")),
      files: [],
      runtime: "onnxruntime 1",
      provider: "cpu",
      grade: "measured",
      permit,
      outcome: "refused",
      reason: 3,
    });
  const sync = async () => {
    await device.freshToken(plane);
    assert.equal((await device.sync(plane)).status, "mirrored");
  };
  return { plane, device, time, put, there, name, sync };
}

test("blobs of a device that an entry names stay, others go when the device has synced and a day has passed", async (t) => {
  const { plane, time, put, there, name, sync } = await scene(t);
  const { deviceBlobs } = plane.plane.parts;
  const [named, unnamed] = [await put("a verdict"), await put("rubbish")];
  await name(named);
  await sync();
  assert.equal(await deviceBlobs.collect(), 0, "not on the first day");
  assert.ok(await there(unnamed));
  time.now += day;
  assert.equal(await deviceBlobs.collect(), 1);
  assert.deepEqual([await there(named), await there(unnamed)], [true, false]);
  time.now += 200 * day;
  assert.equal(await deviceBlobs.collect(), 0);
  assert.ok(await there(named));
  assert.match((await plane.call("GET", "/metrics")).text, /^tally_blobs_collected_total 1$/m);
});

test("a device that brought blobs and then went quiet finds them when it comes back, for ninety days", async (t) => {
  const { plane, time, put, there, name, sync } = await scene(t);
  await sync();
  const late = await put("named by an entry that comes later");
  const never = await put("named by nothing");
  time.now += 80 * day;
  assert.equal(await plane.plane.parts.deviceBlobs.collect(), 0);
  await name(late);
  await sync();
  time.now += 20 * day;
  assert.equal(await plane.plane.parts.deviceBlobs.collect(), 1);
  assert.deepEqual([await there(late), await there(never)], [true, false]);
});

test("attack: a device brings bytes that the plane keeps for itself: collecting them takes nothing of the plane's", async (t) => {
  const { plane, device, time, put, there, sync } = await scene(t);
  await sync();
  const { note } = await device.ledger.seal();
  await put(note);
  await plane.seal();
  const own = digestOf(utf8(note));
  time.now += 100 * day;
  assert.equal(await plane.plane.parts.deviceBlobs.collect(), 1);
  assert.ok(await there(own), "the heads entry names it");
});

test("a blob that two devices brought stays while one of them names it", async (t) => {
  const { plane, time, put, there, name, sync } = await scene(t);
  const other = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "other"));
  t.after(() => other.close());
  const shared = await put("the same verdict");
  await put("the same verdict", other);
  await name(shared);
  await sync();
  await other.sync(plane);
  time.now += day;
  assert.equal(await plane.plane.parts.deviceBlobs.collect(), 0);
  assert.ok(await there(shared));
});

test("attack: a device restarts the plane to begin its day anew: what it stored today is remembered", async (t) => {
  const { plane, device, time, put } = await scene(t, { deviceBytesPerDay: 1_000 });
  await put("x".repeat(900));
  await plane.stop();
  await plane.start();
  const body = utf8("y".repeat(200));
  const again = async () => {
    const token = await device.freshToken(plane);
    const path = `/api/v1/blobs/${digestOf(body)}`;
    return (await plane.call("PUT", path, { token, body, type: "application/octet-stream" })).status;
  };
  assert.equal(await again(), 413);
  time.now += day;
  assert.equal(await again(), 201);
});
