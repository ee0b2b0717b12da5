import assert from "node:assert/strict";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Readiness } from "@tally/evidence";
import { call, json } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane } from "../testing/test-plane.ts";

/** Every fsync of this process fails, until what is returned is called. */
function breakDisk(t: TestContext): () => void {
  const broken = t.mock.method(fs, "fdatasync", (_: number, done: (error: Error) => void) => {
    setImmediate(() => done(Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" })));
  });
  syncBuiltinESMExports();
  return () => {
    broken.mock.restore();
    syncBuiltinESMExports();
  };
}

test("a plane whose own log could not be written says that it needs a restart, and goes on after one", async (t) => {
  const folder = await temporaryFolder(t);
  const told = Promise.withResolvers<void>();
  const error = (_: object, message: string) => {
    if (/cannot be written: restart the plane/.test(message)) told.resolve();
  };
  const logger = { info() {}, warn() {}, error };
  const plane = new TestPlane(join(folder, "plane"), { logger, sealIntervalMs: 20 });
  t.after(() => plane.stop().catch(() => {}));
  await plane.start();
  await plane.seal();
  assert.equal((await call(plane.url, "GET", "/readyz")).status, 200);
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  await device.sync(plane);
  const mend = breakDisk(t);
  await assert.rejects(plane.seal(), /EIO/);
  mend();

  const ready = await call(plane.url, "GET", "/readyz");
  assert.equal(ready.status, 503);
  const { problem, hint } = json<Readiness>(ready);
  assert.match(problem ?? "", /the log tally\.test\/plane\/\w+ takes nothing more: .*EIO/s);
  assert.match(hint ?? "", /restart the plane/);
  await assert.rejects(plane.seal());
  await told.promise;

  await plane.stop().catch(() => {});
  await plane.start();
  await plane.seal();
  const { status } = await call(plane.url, "GET", "/readyz");
  assert.equal(status, 200);
  const { source } = plane.plane.parts;
  const newest = await source.newest();
  const leaves = await source.headsLeaves((await source.lastHeadsBelow(newest!.size))!);
  assert.deepEqual(
    leaves.map(({ origin }) => origin),
    [device.origin],
  );
});
