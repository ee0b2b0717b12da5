import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { generatePrivateKeyPem, type TokenResponse } from "@tally/evidence";
import { call, json } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { startWitnessed, TestPlane } from "../testing/test-plane.ts";
import { createLogger, type LoggerOptions } from "./logger.ts";

/** What was logged. */
class Lines {
  text = "";
  write(line: string): void {
    this.text += line;
  }
  get objects(): Record<string, unknown>[] {
    return this.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

async function logged(t: TestContext, options: LoggerOptions = {}): Promise<{ plane: TestPlane; lines: Lines }> {
  const lines = new Lines();
  const plane = await TestPlane.start(t, { logger: createLogger({ ...options, to: lines }) });
  return { plane, lines };
}

/** Samples by name and labels. */
function samples(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

test("metrics are in the text format of Prometheus, say how the plane stands, and move with it", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  const read = async () => {
    const answer = await plane.call("GET", "/metrics");
    assert.equal(answer.status, 200);
    assert.equal(answer.type, "text/plain");
    return samples(answer.text);
  };
  const before = await read();
  assert.equal(before.get('tally_devices{state="enrolled"}'), 1);
  for (let i = 0; i < 10; i += 1) await device.infer();
  await device.sync(plane);
  await plane.seal();
  const after = await read();
  assert.equal(after.get("tally_signing"), 1);
  assert.equal(after.get('tally_witness_agrees{witness="witness.test/one"}'), 1);
  assert.equal(after.get('tally_devices{state="ok"}'), 1);
  assert.equal(after.get("tally_mirrored_entries_total"), device.ledger.size);
  assert.equal(after.get('tally_log_cosigned_entries{log="log"}'), witness.size);
  assert.ok(after.get('tally_log_entries{log="log"}')! > before.get('tally_log_entries{log="log"}')!);
  assert.equal(after.get('tally_http_requests_total{method="POST",route="/add-checkpoint",status="200"}'), 1);
  assert.ok(after.get('tally_seal_duration_seconds_count{result="sealed"}')! >= 2);
  assert.ok(after.has("process_resident_memory_bytes"));
  await witness.stop();
  const another = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "another"));
  t.after(() => another.close());
  await plane.seal();
  assert.equal((await read()).get('tally_witness_agrees{witness="witness.test/one"}'), 0);
});

test("metrics are for administrators and auditors, and no path of a caller's choosing is a label", async (t) => {
  const plane = await TestPlane.start(t);
  for (const role of ["publisher", "approver", "scientist"] as const) {
    assert.equal((await call(plane.url, "GET", "/metrics", { token: await plane.token(role) })).status, 403);
  }
  assert.equal((await call(plane.url, "GET", "/metrics")).status, 401);
  for (let i = 0; i < 50; i += 1) await call(plane.url, "GET", `/made-up/${i}`);
  const { status, text } = await call(plane.url, "GET", "/metrics", { token: await plane.token("auditor") });
  assert.equal(status, 200);
  assert.ok(!text.includes("made-up"));
  assert.equal(samples(text).get('tally_http_requests_total{method="GET",route="none",status="404"}'), 50);
});

test("logs are JSON lines with a time, a level and the id that the answer carries", async (t) => {
  const { plane, lines } = await logged(t);
  const response = await fetch(`${plane.url}/api/v1/devices?x=1`, {
    headers: { authorization: `Bearer ${plane.adminToken}` },
  });
  await response.text();
  const id = response.headers.get("x-request-id");
  assert.match(id ?? "", /^[0-9a-f]{16}$/);
  await plane.stop();
  const mine = lines.objects.filter(({ reqId }) => reqId === id);
  assert.ok(mine.length >= 2);
  for (const { time, level } of mine) {
    assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
    assert.equal(level, "info");
  }
  assert.deepEqual(mine[0]!.req, { method: "GET", url: "/api/v1/devices" });
});

test("logs as text say the same in words, and a level leaves out what is less", async (t) => {
  const { plane, lines } = await logged(t, { format: "text" });
  await call(plane.url, "GET", "/healthz");
  await plane.stop();
  assert.match(lines.text, /^\d{4}-\S+Z info incoming request .*"url":"\/healthz"/m);
  const quiet = await logged(t, { level: "error" });
  await call(quiet.plane.url, "GET", "/healthz");
  await quiet.plane.stop();
  assert.equal(quiet.lines.text, "");
});

test("attack: secrets planted everywhere a request has room are in no log, no metric and no file of the plane", async (t) => {
  const { plane, lines } = await logged(t);
  const folder = await temporaryFolder(t);
  const device = await TestDevice.create(join(folder, "device"));
  t.after(() => device.close());
  const enrolment = await plane.enrolmentToken({ name: "ward" });
  await device.enroll(plane, enrolment);
  await device.load();
  await device.sync(plane);
  const session = await device.token(plane);
  const made = json<TokenResponse>(await plane.call("POST", "/api/v1/tokens", { body: { role: "auditor" } })).token;
  const planted = [
    "planted-in-a-query",
    "planted-password",
    "planted-bearer",
    "planted-cookie",
    "planted-in-a-header",
    "planted-in-a-body",
    "planted-fragment",
  ];
  const pem = generatePrivateKeyPem("ed25519");
  for (const path of [
    "/api/v1/devices",
    "/log/checkpoint",
    "/v2/",
    "/v2/a/manifests/latest",
    "/metrics",
    "/nowhere",
    "/healthz",
  ]) {
    for (const authorization of [
      `Bearer ${made}`,
      `Basic ${Buffer.from(`user:${made}`).toString("base64")}`,
      "Basic cGxhbnRlZC1wYXNzd29yZA==",
      `Basic ${Buffer.from("user:planted-password").toString("base64")}`,
      "Bearer planted-bearer",
      "planted-bearer",
    ]) {
      const url = `${plane.url}${path}?token=planted-in-a-query&access_token=${made}#planted-fragment`;
      const headers = { authorization, cookie: "session=planted-cookie", "x-api-key": "planted-in-a-header" };
      await (await fetch(url, { headers })).text();
    }
  }
  const bodies: [path: string, body: object | Uint8Array, type?: string][] = [
    ["/api/v1/identities", { name: "x", key: pem, may: ["ingest"], repositories: ["*"] }],
    ["/api/v1/identities", { name: "x", key: "planted-in-a-body", may: ["planted-in-a-body"], repositories: ["*"] }],
    ["/api/v1/tokens", { role: "planted-in-a-body", password: "planted-in-a-body" }],
    ["/api/v1/sessions", { origin: device.origin, nonce: "planted-in-a-body", signature: "planted-in-a-body" }],
    ["/api/v1/sessions", { origin: "planted-in-a-body", nonce: made, signature: pem.replaceAll("\n", " ") }],
    [
      "/api/v1/statements",
      new TextEncoder().encode(`{"payload":"${made}","x":"planted-in-a-body"}`),
      "application/vnd.dsse+json",
    ],
    ["/add-checkpoint", new TextEncoder().encode(`old planted-in-a-body\n\n${made}\n`), "text/plain"],
    ["/api/v1/enroll", { deviceId: "planted-in-a-body", origin: made, genesis: "", checkpoint: pem }],
  ];
  for (const [path, body, type] of bodies) {
    for (const token of [plane.adminToken, session]) {
      await plane.call("POST", path, { body, token, ...(type !== undefined && { type }) });
    }
  }
  const metrics = (await plane.call("GET", "/metrics")).text;
  const { adminToken, dir } = plane;
  await plane.stop();
  const key = pem.split("\n")[1]!;
  const ownKeys = await Promise.all(
    (await readdir(join(dir, "keys"))).map(
      async (name) => (await readFile(join(dir, "keys", name), "utf8")).split("\n")[1]!,
    ),
  );
  const secrets = [...planted, enrolment, session, made, adminToken, key, ...ownKeys];
  assert.ok(lines.text.includes('"url":"/v2/a/manifests/latest"'), "requests to the registry are logged too");
  for (const secret of secrets) {
    const bare = secret.replace(/^tly_/, "");
    assert.ok(!lines.text.includes(bare), `the logs hold ${secret.slice(0, 16)}`);
    assert.ok(!metrics.includes(bare), `the metrics hold ${secret.slice(0, 16)}`);
  }
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || entry.name === "admin.token" || path.startsWith(join(dir, "keys"))) continue;
    const bytes = await readFile(path);
    for (const secret of secrets)
      assert.ok(!bytes.includes(secret.replace(/^tly_/, "")), `${path} holds ${secret.slice(0, 16)}`);
  }
});
