import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane } from "../testing/test-plane.ts";

test("an answer goes on where its download broke off, also when the fleet has moved on", async (t) => {
  const plane = await TestPlane.start(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  for (let i = 0; i < 50; i += 1) await device.infer();
  await device.sync(plane);
  await plane.seal();
  const path = `/api/v1/audit?from=1&to=${Date.now() + 60_000}`;
  const ask = (headers: Record<string, string> = {}) =>
    fetch(plane.url + path, { headers: { authorization: `Bearer ${plane.adminToken}`, ...headers } });
  const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

  const whole = await ask();
  const bytes = await bytesOf(whole);
  const etag = whole.headers.get("etag")!;
  assert.equal(whole.status, 200);
  assert.equal(whole.headers.get("accept-ranges"), "bytes");
  assert.equal(Number(whole.headers.get("content-length")), bytes.length);
  assert.equal(etag, `"${Buffer.from(bytes.subarray(-32)).toString("hex")}"`);

  await device.infer();
  await device.sync(plane);
  const rest = await ask({ range: "bytes=1000-", "if-range": etag });
  assert.equal(rest.status, 206);
  assert.equal(rest.headers.get("content-range"), `bytes 1000-${bytes.length - 1}/${bytes.length}`);
  assert.deepEqual(await bytesOf(rest), bytes.subarray(1000));
  const part = await ask({ range: "bytes=10-19", "if-range": etag });
  assert.deepEqual([part.status, await bytesOf(part)], [206, bytes.slice(10, 20)]);
  const beyond = await ask({ range: `bytes=${bytes.length}-`, "if-range": etag });
  assert.deepEqual([beyond.status, beyond.headers.get("content-range")], [416, `bytes */${bytes.length}`]);

  const newer = await ask();
  assert.notEqual(newer.headers.get("etag"), etag);
  const newest = await bytesOf(newer);
  for (const headers of [
    { range: "bytes=1000-", "if-range": `"${"0".repeat(64)}"` },
    { range: "bytes=5-2" },
    { range: "bytes=-5" },
    { range: "bytes=0-1,4-5" },
    { range: "lines=1-" },
  ]) {
    const response = await ask(headers);
    assert.equal(response.status, 200, JSON.stringify(headers));
    assert.deepEqual(await bytesOf(response), newest, "another answer is sent whole");
  }
});
