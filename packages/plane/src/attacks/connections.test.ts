import assert from "node:assert/strict";
import { readdir, readlink } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "@tally/evidence";
import { call } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane } from "../testing/test-plane.ts";

/** A raw connection: what came back, and when the plane ended it. */
class Wire {
  readonly socket: Socket;
  readonly ended: Promise<void>;
  received = "";

  constructor(plane: TestPlane) {
    const { hostname, port } = new URL(plane.url);
    this.socket = connect(Number(port), hostname);
    this.socket.setEncoding("utf8");
    this.socket.on("error", () => {});
    this.socket.on("data", (text: string) => {
      this.received += text;
    });
    this.ended = new Promise((resolve) => this.socket.once("close", () => resolve()));
  }

  /** Writes this, and then a byte every few milliseconds for as long as the other side lets it. */
  async drip(head: string): Promise<void> {
    this.socket.write(head);
    const timer = setInterval(() => this.socket.write("x"), 5);
    await this.ended;
    clearInterval(timer);
  }
}

const request = (method: string, path: string, token?: string, type = "application/octet-stream") =>
  `${method} ${path} HTTP/1.1\r\nhost: x\r\n${token === undefined ? "" : `authorization: Bearer ${token}\r\n`}content-type: ${type}\r\ncontent-length: 1000000\r\n\r\n`;

async function scene(t: TestContext): Promise<{ plane: TestPlane; token: string }> {
  const plane = await TestPlane.start(t, { bodyTimeoutMs: 50 });
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  return { plane, token: await device.token(plane) };
}

test("attack: without any token, a body that drips on for ever after the refusal", async (t) => {
  const { plane } = await scene(t);
  for (const [method, path] of [
    ["POST", "/api/v1/tokens"],
    ["POST", "/add-entries"],
    ["POST", "/v2/a/blobs/uploads/"],
    ["PUT", "/v2/a/manifests/x"],
    ["POST", "/nowhere"],
    ["GET", "/healthz"],
  ] as const) {
    const wire = new Wire(plane);
    await wire.drip(request(method, path));
    assert.match(wire.received, /^HTTP\/1\.1 (401|404|200) /, `${method} ${path}`);
  }
});

test("attack: a manifest and a blob that drip, with a token", async (t) => {
  const { plane, token } = await scene(t);
  const publisher = await plane.token("publisher");
  const digest = digestOf(new Uint8Array(1));
  await new Wire(plane).drip(
    request("PUT", "/v2/a/manifests/latest", publisher, "application/vnd.oci.image.manifest.v1+json"),
  );
  await new Wire(plane).drip(request("PUT", `/api/v1/blobs/${digest}`, token));
  await new Wire(plane).drip(request("POST", "/add-entries", token));
  await noBlobsOpen(plane);
  assert.equal((await call(plane.url, "GET", "/healthz")).status, 200);
});

test("attack: more connections than there may be: the plane answers again once they are gone", async (t) => {
  const plane = await TestPlane.start(t, { maxConnections: 20 });
  const wires = Array.from({ length: 60 }, () => new Wire(plane));
  const idle = wires.slice(20).map(({ ended }) => ended);
  await Promise.all(idle);
  for (const { socket } of wires) socket.destroy();
  await Promise.all(wires.map(({ ended }) => ended));
  await plane.stop();
  await plane.start();
  assert.equal((await call(plane.url, "GET", "/healthz")).status, 200);
});

test("attack: requests smuggled behind another's length, headers twice, absolute and odd paths", async (t) => {
  const plane = await TestPlane.start(t);
  const token = await plane.token("auditor");
  const auth = `host: x\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n`;
  const inner = `GET /api/v1/devices HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${plane.adminToken}\r\n\r\n`;
  const cases: [string, RegExp][] = [
    [
      `POST /api/v1/sessions/nonce HTTP/1.1\r\n${auth}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      `POST /api/v1/sessions/nonce HTTP/1.1\r\n${auth}content-length: 5\r\ncontent-length: 6\r\n\r\n{}   ${inner}`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      `POST /api/v1/tokens HTTP/1.1\r\n${auth}authorization: Bearer ${plane.adminToken}\r\ncontent-length: 0\r\n\r\n`,
      /^HTTP\/1\.1 (400|403) /,
    ],
    [`GET http://x/v2/../api/v1/identities HTTP/1.1\r\n${auth}\r\n`, /^HTTP\/1\.1 (400|404) /],
    [`GET //v2/a/tags/list HTTP/1.1\r\n${auth}\r\n`, /^HTTP\/1\.1 404 /],
    [`GET /v2/../../etc/passwd HTTP/1.1\r\n${auth}\r\n`, /^HTTP\/1\.1 404 /],
    [`GET /v2/%2e%2e/%2e%2e/manifests/latest HTTP/1.1\r\n${auth}\r\n`, /^HTTP\/1\.1 (400|404) /],
    [`GET /log/../keys/plane.ed25519.pem HTTP/1.1\r\n${auth}\r\n`, /^HTTP\/1\.1 404 /],
    [`GET /log/tile/..%2f..%2f..%2fkeys%2fplane.ed25519.pem HTTP/1.1\r\n${auth}\r\n`, /^HTTP\/1\.1 (400|404) /],
    [`GET /mirror/..%2f..%2fadmin.token HTTP/1.1\r\n${auth}\r\n`, /^HTTP\/1\.1 (400|404) /],
    [`GET /${"x".repeat(20_000)} HTTP/1.1\r\n${auth}\r\n`, /^HTTP\/1\.1 431 /],
  ];
  for (const [text, expected] of cases) {
    const wire = new Wire(plane);
    wire.socket.write(text);
    await wire.ended;
    assert.match(wire.received, expected, text.split("\r\n")[0]!.slice(0, 80));
    assert.equal(wire.received.match(/HTTP\/1\.1 /g)?.length, 1, "one answer to one request");
    assert.ok(!wire.received.includes("PRIVATE KEY"));
  }
});

test("attack: numbers and names that are none, and parameters given twice, are refused as such", async (t) => {
  const { plane } = await scene(t);
  const digest = digestOf(new Uint8Array(1));
  const odd = ["-1", "1e9", "NaN", "Infinity", "0x10", "1.5", "9".repeat(17), "9".repeat(400), "%00", "[]", "", "９"];
  const paths = [
    ...odd.flatMap((n) => [
      `/api/v1/audit?from=${n}&to=5`,
      `/api/v1/audit?from=1&to=${n}`,
      `/api/v1/channels/a/b?pinned=${n}`,
      `/api/v1/receipts/${"0".repeat(32)}/${n}`,
      `/log/tile/0/${n}`,
      `/log/tile/${n}/000`,
      `/log/tile/entries/000.p/${n}`,
    ]),
    "/api/v1/audit?from=1&to=2&to=3",
    `/api/v1/audit?from=1&to=2&model=${digest}&model=${digest}`,
    "/api/v1/audit?from[]=1&to=2",
    "/api/v1/audit?from=1&to=2&__proto__=3",
    "/api/v1/audit?from=2&to=1",
    `/api/v1/statements?subject=${digest}&subject=${digest}`,
    "/api/v1/statements?type=a&type=b",
    `/api/v1/data?model=${digest}&model=${digest}`,
    "/api/v1/channels/a/b?pinned=1&pinned=2",
    "/api/v1/channels/a",
    "/api/v1/channels/",
    "/api/v1/channels/..%2f..%2fx/y",
    `/api/v1/lineage/${digest.toUpperCase()}`,
    "/api/v1/devices/..",
    `/api/v1/devices/${"G".repeat(32)}`,
  ];
  for (const path of paths) {
    const { status, text } = await plane.call("GET", path);
    assert.ok(status >= 400 && status < 500, `${path.slice(0, 80)}: ${status} ${text.slice(0, 100)}`);
  }
  for (const path of [
    `/api/v1/audit?from=9007199254740993&to=${"9".repeat(16)}`,
    `/api/v1/audit?from=0&to=${"9".repeat(16)}`,
    `/api/v1/channels/a/b?pinned=${"9".repeat(16)}`,
    `/api/v1/receipts/${"0".repeat(32)}/${"9".repeat(16)}`,
  ]) {
    const { status, text } = await plane.call("GET", path);
    assert.ok(status < 500, `${path}: ${status} ${text.slice(0, 100)}`);
  }
  const expires = (expiresIn: unknown) =>
    plane.call("POST", "/api/v1/enrolment-tokens", {
      body: new TextEncoder().encode(`{"expiresIn":${expiresIn}}`),
      type: "application/json",
    });
  for (const time of ["-1", "1e300", "1.5", '"1"', "9007199254740993"]) {
    const { status, text } = await expires(time);
    assert.equal(status, 400, `${time}: ${text}`);
  }
});

test("attack: JSON as deep as it gets, in a body and in a statement", async (t) => {
  const plane = await TestPlane.start(t);
  const deep = `${"[".repeat(400_000)}${"]".repeat(400_000)}`;
  const bytes = (text: string) => new TextEncoder().encode(text);
  const inPayload = Buffer.from(`{"_type":${deep.slice(0, 100_000)}${"]".repeat(100_000)}}`).toString("base64");
  const envelope = JSON.stringify({
    payload: inPayload,
    payloadType: "application/vnd.in-toto+json",
    signatures: [{ keyid: "", sig: "AA==" }],
  });
  for (const [path, body, type] of [
    ["/api/v1/tokens", deep, "application/json"],
    ["/api/v1/sessions/nonce", `{"origin":${deep}}`, "application/json"],
    ["/api/v1/statements", deep, "application/vnd.dsse+json"],
    ["/api/v1/statements", envelope, "application/vnd.dsse+json"],
    ["/api/v1/tokens", '{"role":"auditor","__proto__":{"role":"admin"}}', "application/json"],
    ["/api/v1/tokens", '{"role":"auditor","constructor":{"prototype":{}}}', "application/json"],
  ] as const) {
    const answer = await plane.call("POST", path, { body: bytes(body), type });
    assert.equal(answer.status, 400, `${path}: ${answer.status} ${answer.text.slice(0, 100)}`);
  }
});

test("attack: clients that hang up in the middle of downloads leave no file open", {
  skip: process.platform !== "linux",
}, async (t) => {
  const plane = await TestPlane.start(t);
  const body = new Uint8Array(8_000_000).fill(1);
  const path = `/api/v1/blobs/${digestOf(body)}`;
  assert.equal((await plane.call("PUT", path, { body, type: "application/octet-stream" })).status, 201);
  const head = (method: string) =>
    `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${plane.adminToken}\r\n\r\n`;
  const wires: Wire[] = [];
  for (let i = 0; i < 40; i += 1) {
    const wire = new Wire(plane);
    wires.push(wire);
    wire.socket.write(head(i % 4 === 0 ? "HEAD" : "GET"));
    // Some before there is an answer, some within it.
    if (i % 2 === 0) wire.socket.once("data", () => wire.socket.destroy());
    else wire.socket.end(() => wire.socket.destroy());
  }
  await Promise.all(wires.map(({ ended }) => ended));
  await noBlobsOpen(plane);
});

/** The plane hears of each hang-up in its own time: one more request after another, until all are closed. */
async function noBlobsOpen(plane: TestPlane): Promise<void> {
  for (let tries = 0; tries < 200 && (await openBlobs(plane)) > 0; tries += 1) await plane.call("GET", "/healthz");
  assert.equal(await openBlobs(plane), 0);
}

async function openBlobs(plane: TestPlane): Promise<number> {
  if (process.platform !== "linux") return 0;
  const descriptors = await readdir("/proc/self/fd");
  const files = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  return files.filter((file) => file.startsWith(join(plane.dir, "blobs"))).length;
}
