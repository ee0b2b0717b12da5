import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { digestOf, utf8 } from "@tally/evidence";
import { type CertificateWish, makeCertificate } from "../../../oci/src/signing/certificate-maker.ts";
import { RequestLimits } from "../http/request-limits.ts";
import { call, errorOf } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane } from "../testing/test-plane.ts";

const serverCertificate: CertificateWish = { name: "plane", ca: true, keyUsage: 0x84 };

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

function opened(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("encrypted" in socket ? "secureConnect" : "connect", () => resolve());
    socket.once("error", reject);
  });
}

test("a caller's rate is its own: one that asks too fast is told when to come again, others are served", async (t) => {
  const plane = await TestPlane.start(t, { requests: { perSecond: 0.01 } });
  const { tokens } = plane.plane.parts;
  const auditor = async () => (await tokens.create({ role: "auditor", repository: "*", origin: null }, 60_000)).token;
  const [greedy, modest] = [await auditor(), await auditor()];
  const ask = (token: string) =>
    fetch(`${plane.url}/api/v1/devices`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await ask(greedy)).status, 200);
  const second = await ask(greedy);
  assert.equal(second.status, 429);
  assert.ok(Number(second.headers.get("retry-after")) >= 50);
  assert.equal(((await second.json()) as { error: { code: string } }).error.code, "too-many");
  assert.equal((await ask(modest)).status, 200);
  const registry = await fetch(`${plane.url}/v2/`, { headers: { authorization: `Bearer ${greedy}` } });
  assert.equal(registry.status, 429);
  assert.match(await registry.text(), /"errors":\[\{"code":"TOOMANYREQUESTS"/);
  for (let i = 0; i < 5; i += 1)
    assert.equal((await fetch(`${plane.url}/healthz`)).status, 200, "health is always told");
});

test("the rate fills again at its pace, and ten seconds' worth may come at once", () => {
  let now = 0;
  const limits = new RequestLimits({ perSecond: 2 }, () => now);
  const asked = (token: string) =>
    limits.rate({ headers: { authorization: `Bearer ${token}` }, ip: "192.0.2.1" })?.status;
  for (let i = 0; i < 20; i += 1) assert.equal(asked("one"), undefined, `request ${i}`);
  assert.equal(asked("one"), 429);
  assert.equal(asked("two"), undefined);
  now += 1_000;
  assert.deepEqual([asked("one"), asked("one"), asked("one")], [undefined, undefined, 429]);
});

test("attack: a flood of made-up tokens takes no more memory than is set aside", () => {
  const limits = new RequestLimits({ perSecond: 1 }, () => 0);
  const kept = () => limits.rate({ headers: { authorization: "Bearer first" }, ip: "192.0.2.1" })?.status;
  for (let i = 0; i < 10; i += 1) kept();
  assert.equal(kept(), 429);
  for (let i = 0; i < 30_000; i += 1) limits.rate({ headers: { authorization: `Bearer ${i}` }, ip: "192.0.2.1" });
  assert.equal(kept(), undefined, "whoever has not called for longest is forgotten");
});

test("more requests under way than the plane takes on are asked to come again, and let in when others have gone", async (t) => {
  const plane = await TestPlane.start(t, { requests: { concurrent: 10, uploads: 1 } });
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const token = await device.token(plane);
  const { hostname, port } = new URL(plane.url);
  // An upload that is under way: its head is there, its body is not.
  const upload = connect(Number(port), hostname);
  await opened(upload);
  const bytes = utf8("x".repeat(1000));
  const digest = digestOf(bytes);
  upload.write(
    `PUT /api/v1/blobs/${digest} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/octet-stream\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n`,
  );
  await new Promise((resolve) => upload.once("data", resolve));
  const put = () =>
    plane.call("PUT", `/api/v1/blobs/${digest}`, { token, body: bytes, type: "application/octet-stream" });
  const refused = await put();
  assert.equal(refused.status, 503);
  assert.equal(errorOf(refused)?.code, "busy");
  assert.equal((await plane.call("GET", "/api/v1/devices")).status, 200, "what is small goes on");
  upload.write(bytes);
  await new Promise((resolve) => upload.once("data", resolve));
  upload.destroy();
  await closed(upload);
  assert.equal((await put()).status, 201);
});

test("attack: a registry upload that drips a byte now and then is ended", async (t) => {
  const plane = await TestPlane.start(t, { bodyTimeoutMs: 50 });
  const publisher = await plane.token("publisher");
  const begun = await fetch(`${plane.url}/v2/a/blobs/uploads/`, {
    method: "POST",
    headers: { authorization: `Bearer ${publisher}` },
  });
  assert.equal(begun.status, 202);
  const location = new URL(begun.headers.get("location")!, plane.url);
  const socket = connect(Number(location.port), location.hostname);
  await opened(socket);
  socket.on("error", () => {});
  socket.write(
    `PATCH ${location.pathname}${location.search} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${publisher}\r\ncontent-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\n`,
  );
  const drip = setInterval(() => socket.write("x"), 20);
  await closed(socket);
  clearInterval(drip);
  assert.equal((await call(plane.url, "GET", "/healthz")).status, 200);
});

for (const secure of [false, true]) {
  test(`attack: slow-loris headers ${secure ? "over TLS" : "over plain HTTP"}: a connection that never ends its headers is ended`, async (t) => {
    const { key, certificate } = makeCertificate(serverCertificate);
    const tls = {
      cert: Buffer.from(certificate.toString()),
      key: Buffer.from(key.export({ format: "pem", type: "pkcs8" })),
    };
    const plane = await TestPlane.start(t, { headersTimeoutMs: 60, ...(secure && { tls }) });
    const { hostname, port } = new URL(plane.url);
    const socket: Socket | TLSSocket = secure
      ? connectTls({ port: Number(port), host: hostname, ca: tls.cert, checkServerIdentity: () => undefined })
      : connect(Number(port), hostname);
    socket.on("error", () => {});
    await opened(socket);
    socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n");
    const drip = setInterval(() => socket.write("x-a: b\r\n"), 10);
    await closed(socket);
    clearInterval(drip);
    if (!secure) return;
    // One that never shakes hands.
    const silent = connect(Number(port), hostname);
    silent.on("error", () => {});
    await opened(silent);
    await closed(silent);
  });
}

test("a plane serves TLS with the certificate that it is given, and plain HTTP gets nothing from it", async (t) => {
  const { key, certificate } = makeCertificate(serverCertificate);
  const cert = Buffer.from(certificate.toString());
  const tls = { cert, key: Buffer.from(key.export({ format: "pem", type: "pkcs8" })) };
  const plane = await TestPlane.start(t, { tls });
  const { hostname, port, protocol } = new URL(plane.url);
  assert.equal(protocol, "https:");
  const socket = connectTls({ port: Number(port), host: hostname, ca: cert, checkServerIdentity: () => undefined });
  await opened(socket);
  assert.ok(socket.authorized);
  assert.equal(socket.getPeerCertificate().fingerprint256, certificate.fingerprint256);
  socket.setEncoding("utf8");
  let answer = "";
  socket.on("data", (chunk: string) => {
    answer += chunk;
  });
  socket.write(
    `GET /api/v1/devices HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${plane.adminToken}\r\nconnection: close\r\n\r\n`,
  );
  await closed(socket);
  assert.match(answer, /^HTTP\/1\.1 200 /);
  const plain = connect(Number(port), hostname);
  plain.on("error", () => {});
  let got = "";
  plain.on("data", (chunk: Buffer) => {
    got += chunk.toString("latin1");
  });
  plain.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  await closed(plain);
  assert.ok(!got.includes("HTTP/1.1 200"));
});

test("attack: hash-flood of names: a body of a hundred thousand names is refused like any other that is not asked for", async (t) => {
  const plane = await TestPlane.start(t);
  const names = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [(i * 2_654_435_761) % 4_294_967_296, 0]));
  const answer = await plane.call("POST", "/api/v1/tokens", { body: { role: "auditor", ...names } });
  assert.equal(answer.status, 400);
  const pushed = await plane.call("GET", `/v2/${"a/".repeat(2_000)}manifests/latest`);
  assert.ok(pushed.status >= 400 && pushed.status < 500, String(pushed.status));
  assert.equal((await call(plane.url, "GET", "/healthz")).status, 200);
});
