import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { concatBytes } from "@tally/evidence";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { startMirror } from "../testing/test-mirror.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";
import { formatAddCheckpointBody } from "../witness/index.ts";
import { requestBody } from "./request-body.ts";
import { formatPackage, formatUploadHeader, packageRanges } from "./upload-body.ts";

/** A request as a server sees it, with these body bytes. */
function requestWith(body: Uint8Array, encoding?: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  if (encoding !== undefined) request.headers["content-encoding"] = encoding;
  request.push(body);
  request.push(null);
  return request;
}

async function uploadOf(t: TestContext, size: number) {
  const folder = await temporaryFolder(t);
  const signers = testSigners();
  const mirror = await startMirror(t, { dir: join(folder, "mirror"), keySets: new Map([[ORIGIN, keySetOf(signers)]]) });
  const device = await TestDevice.open(join(folder, "device"), signers);
  t.after(() => device.close());
  const { note } = await device.growTo(size);
  await fetch(`${mirror.url}/add-checkpoint`, {
    method: "POST",
    body: formatAddCheckpointBody({ old: 0, proof: [], note }),
  });
  const parts = [formatUploadHeader({ origin: ORIGIN, start: 0, end: size, ticket: new Uint8Array(0) })];
  for (const { start, end, aligned } of packageRanges(0, size)) {
    const entries = await Array.fromAsync(device.ledger.entries(start, end));
    parts.push(formatPackage(entries, await device.ledger.subtreeConsistencyProof(aligned, end, size)));
  }
  const send = async (body: Uint8Array, encoding: string) => {
    const headers = { "content-encoding": encoding };
    const response = await fetch(`${mirror.url}/add-entries`, { method: "POST", headers, body: new Uint8Array(body) });
    return { status: response.status, text: await response.text() };
  };
  return { mirror, parts, send };
}

test("a gzip body and a plain body give the same bytes", async () => {
  const bytes = new Uint8Array(200_000).map((_, i) => i * 7);
  for (const request of [requestWith(bytes), requestWith(bytes, "identity"), requestWith(gzipSync(bytes), "gzip")]) {
    assert.deepEqual(concatBytes(...(await Array.fromAsync(requestBody(request)))), bytes);
  }
});

test("gzip bomb: decoding stops at the bound, long before the bomb is unpacked", async () => {
  const bomb = gzipSync(new Uint8Array(300_000_000));
  let seen = 0;
  const read = async () => {
    for await (const chunk of requestBody(requestWith(bomb, "gzip"), { maxBytes: 100_000 })) seen += chunk.length;
  };
  await assert.rejects(read(), { code: "protocol", message: /larger than 100000/ });
  assert.ok(seen <= 100_000);
});

test("another content encoding is refused in words", async (t) => {
  const { parts, send } = await uploadOf(t, 10);
  const answer = await send(concatBytes(...parts), "br");
  assert.equal(answer.status, 400);
  assert.match(answer.text, /use gzip/);
});

test("a client that still sends a long body sees the early answer, on a connection that can be used again", async (t) => {
  const { parts, send } = await uploadOf(t, 10);
  const header = formatUploadHeader({ origin: "tally.test/unknown", start: 0, end: 10, ticket: new Uint8Array(0) });
  const long = concatBytes(header, new Uint8Array(8_000_000));
  for (let time = 0; time < 3; time += 1) assert.equal((await send(long, "identity")).status, 404);
  assert.equal((await send(concatBytes(...parts), "identity")).status, 200);
});

test("a gzip body that is cut or damaged keeps the packages that came whole", async (t) => {
  const { mirror, parts, send } = await uploadOf(t, 3_000);
  const zipped = gzipSync(concatBytes(...parts), { level: 0 });
  const cut = await send(zipped.subarray(0, Math.floor(zipped.length * 0.7)), "gzip");
  assert.ok([202, 400].includes(cut.status), cut.text);
  const stored = mirror.mirror.log(ORIGIN)!.nextEntry;
  assert.equal(stored % 256, 0);
  const flipped = Uint8Array.from(zipped);
  flipped[flipped.length - 6]! ^= 1;
  const damaged = await send(flipped, "gzip");
  assert.ok([202, 400].includes(damaged.status), damaged.text);
  assert.equal((await send(zipped, "gzip")).status, 200);
});
