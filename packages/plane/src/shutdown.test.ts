import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf, utf8 } from "@tally/evidence";
import { checkLedger } from "@tally/ledger";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { TestPlane, type TestPlaneOptions } from "./testing/test-plane.ts";

/** An upload whose head the plane has and whose body it waits for. */
async function uploadBegun(t: TestContext, options: TestPlaneOptions = {}) {
  const plane = await TestPlane.start(t, options);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const bytes = utf8("x".repeat(1000));
  const { hostname, port } = new URL(plane.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  let received = "";
  socket.setEncoding("utf8");
  const begun = new Promise<void>((resolve) => {
    socket.on("data", (text: string) => {
      received += text;
      resolve();
    });
  });
  socket.write(
    `PUT /api/v1/blobs/${digestOf(bytes)} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${await device.token(plane)}\r\ncontent-type: application/octet-stream\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n`,
  );
  await begun;
  return { plane, device, socket, bytes, received: () => received };
}

const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()));

test("a plane that is told to stop finishes the requests it has, and what they brought is there afterwards", async (t) => {
  const { plane, socket, bytes, received } = await uploadBegun(t);
  const stopped = plane.stop();
  socket.write(bytes);
  await closed(socket);
  assert.match(received(), /HTTP\/1\.1 201 /);
  await stopped;
  await plane.start();
  assert.equal((await plane.call("GET", `/api/v1/blobs/${digestOf(bytes)}`)).status, 200);
});

test("a request that never ends does not keep a plane from stopping", async (t) => {
  const { plane, socket, bytes } = await uploadBegun(t, { shutdownMs: 50 });
  await Promise.all([plane.stop(), closed(socket)]);
  await plane.start();
  assert.equal((await plane.call("GET", `/api/v1/blobs/${digestOf(bytes)}`)).status, 404);
});

test("what is durable when a plane stops is sealed, and its logs are whole", async (t) => {
  const { plane, device, socket } = await uploadBegun(t, { shutdownMs: 50 });
  socket.destroy();
  await device.sync(plane);
  await plane.stop();
  for (const log of ["log", "fleet"]) {
    const report = await checkLedger(join(plane.dir, "logs", log));
    assert.ok(report.ok, JSON.stringify(report.problems));
    assert.equal(report.signedSize, report.size, log);
  }
});

test("a folder that a kill has left before its first file was whole starts again, and a broken one says what to do", async (t) => {
  const folder = await temporaryFolder(t);
  const begun = join(folder, "begun");
  await mkdir(begun);
  await writeFile(join(begun, "plane.json.tmp"), '{"format":"tally-pl');
  const plane = await TestPlane.start(t, { dir: begun });
  await plane.seal();
  const broken = join(folder, "broken");
  await mkdir(broken);
  await writeFile(join(broken, "plane.json"), '{"format":"tally-pl');
  await assert.rejects(new TestPlane(broken, {}).start(), {
    code: "configuration",
    message: /plane\.json is not JSON/,
    hint: /restore a backup/,
  });
});
