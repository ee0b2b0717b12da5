import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Digest, digestOf } from "@tally/evidence";
import { formatUploadHeader, MAX_ADD_CHECKPOINT_BYTES } from "@tally/ledger";
import { call, errorOf } from "./testing/plane-client.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { TestPlane } from "./testing/test-plane.ts";

async function planeWithDevice(t: TestContext): Promise<{ plane: TestPlane; device: TestDevice; token: string }> {
  const plane = await TestPlane.start(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  return { plane, device, token: await device.token(plane) };
}

/** Writes to a socket and reads until the plane ends the connection or has answered a whole head. */
function exchange(plane: TestPlane, bytes: string): Promise<string> {
  const { hostname, port } = new URL(plane.url);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      answer += text;
      if (answer.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}

test("a body that is too large is refused, announced or not", async (t) => {
  const { plane, token } = await planeWithDevice(t);
  const big = new Uint8Array(1024 * 1024 + 1).fill(0x20);
  const cases: [path: string, type: string, size: Uint8Array, token: string][] = [
    ["/api/v1/tokens", "application/json", big, plane.adminToken],
    ["/api/v1/statements", "application/vnd.dsse+json", big, plane.adminToken],
    ["/add-checkpoint", "text/plain", new Uint8Array(MAX_ADD_CHECKPOINT_BYTES + 1), token],
  ];
  for (const [path, type, body, by] of cases) {
    const announced = await call(plane.url, "POST", path, { token: by, body, type });
    assert.equal(announced.status, 413, `${path} ${announced.text}`);
    const streamed = await fetch(plane.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${by}`, "content-type": type },
      body: new Blob([body as Uint8Array<ArrayBuffer>]).stream(),
      duplex: "half",
    } as RequestInit);
    assert.equal(streamed.status, 413, `${path}, streamed`);
  }
});

test("a body that trickles in is not waited for, at whatever route", async (t) => {
  const plane = await TestPlane.start(t, { bodyTimeoutMs: 20 });
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const token = await device.token(plane);
  const begun = (path: string, by: string, type: string) =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${by}\r\ncontent-type: ${type}\r\ncontent-length: 1000\r\n\r\n{`;
  for (const head of [
    begun("/api/v1/tokens", plane.adminToken, "application/json"),
    begun("/api/v1/statements", plane.adminToken, "application/vnd.dsse+json"),
    begun("/add-checkpoint", token, "text/plain"),
    begun("/add-entries", token, "application/octet-stream"),
  ]) {
    assert.match(await exchange(plane, head), /^HTTP\/1\.1 408 /, head.split("\r\n")[0]!);
  }
  assert.equal((await call(plane.url, "GET", "/healthz")).status, 200);
});

test("who may not is turned away before a byte of the body is read", async (t) => {
  const { plane } = await planeWithDevice(t);
  const head =
    "POST /api/v1/tokens HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n";
  assert.match(await exchange(plane, head), /^HTTP\/1\.1 401 /);
});

test("blobs are taken up to their bound and only as what they are", async (t) => {
  const { plane, token } = await planeWithDevice(t);
  const put = (digest: Digest, body: Uint8Array) =>
    call(plane.url, "PUT", `/api/v1/blobs/${digest}`, { token, body, type: "application/octet-stream" });
  const good = new Uint8Array(100_000).fill(7);
  assert.equal((await put(digestOf(good), good)).status, 201);
  assert.deepEqual((await plane.call("GET", `/api/v1/blobs/${digestOf(good)}`)).bytes, good);
  const wrong = await put(digestOf(new Uint8Array(1)), good);
  assert.equal(errorOf(wrong)?.code, "digest-mismatch");
  const huge = new Uint8Array(16_000_001);
  assert.equal((await put(digestOf(huge), huge)).status, 413);
  const names = { "sha256:ABC": 400, "sha512:00": 400, "../../plane.db": 404 };
  for (const [name, status] of Object.entries(names)) {
    assert.equal((await plane.call("GET", `/api/v1/blobs/${name}`)).status, status, name);
  }
});

test("a gzip bomb, a broken gzip body and one of another encoding end as a refusal", async (t) => {
  const { plane, device, token } = await planeWithDevice(t);
  await device.ledger.seal();
  const upload = (body: Uint8Array, encoding: string) =>
    fetch(`${plane.url}/add-entries`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/octet-stream",
        "content-encoding": encoding,
      },
      body: body as Uint8Array<ArrayBuffer>,
    });
  const zeros = gzipSync(new Uint8Array(64 * 1024 * 1024));
  const header = formatUploadHeader({ origin: device.origin, start: 0, end: 2, ticket: new Uint8Array(0) });
  const bomb = gzipSync(Buffer.concat([header, new Uint8Array(64 * 1024 * 1024)]));
  assert.ok(bomb.length < 100_000);
  for (const [what, body, encoding] of [
    ["zeros", zeros, "gzip"],
    ["bomb", bomb, "gzip"],
    ["broken", new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3]), "gzip"],
    ["brotli", header, "br"],
  ] as const) {
    const answer = await upload(body, encoding);
    assert.ok(answer.status >= 400 && answer.status < 500, `${what}: ${answer.status} ${await answer.text()}`);
  }
  assert.equal((await device.upload(plane)).status, "mirrored", "and the device goes on");
});

test("JSON that is malformed, of another shape or has a name too many is a 400 that says where", async (t) => {
  const plane = await TestPlane.start(t);
  const utf8 = (text: string) => new TextEncoder().encode(text);
  for (const body of ['{"role":', '{"role":"king"}', '{"role":"device"}', '{"role":"auditor","expires":5}', "[]"]) {
    const answer = await plane.call("POST", "/api/v1/tokens", { body: utf8(body), type: "application/json" });
    assert.equal(answer.status, 400, `${body} ${answer.text}`);
    assert.equal(errorOf(answer)?.code, "bad-request", body);
  }
});

test("no answer shows the plane's insides", async (t) => {
  const plane = await TestPlane.start(t);
  const paths = [
    "/nothing",
    "/api/v1/channels/x",
    "/log/tile/9/000",
    "/log/../keys/plane.ed25519.pem",
    "/mirror/zz",
    "/%00",
  ];
  for (const path of paths) {
    const answer = await plane.call("GET", path);
    assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
    assert.ok(!/node_modules|\.ts:|PRIVATE KEY|SQLITE/.test(answer.text), `${path}: ${answer.text}`);
  }
});
