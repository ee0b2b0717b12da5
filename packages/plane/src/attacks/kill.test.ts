import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type Digest,
  decodeEntry,
  digestOf,
  generatePrivateKeyPem,
  headsRoot,
  ingestionStatement,
  publicKeyOfPem,
  publicKeyPem,
  type StatementResponse,
  signStatement,
  statementSignerFromPem,
  type TokenResponse,
  utf8,
} from "@tally/evidence";
import { checkLedger } from "@tally/ledger";
import { call, json } from "../testing/plane-client.ts";
import { PlaneProcess } from "../testing/plane-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { TestPlane, TestWitness } from "../testing/test-plane.ts";

/** A witness that remembers what it had to refuse. */
async function watched(t: TestContext, witness: TestWitness): Promise<{ policy: string; refused: number[] }> {
  const refused: number[] = [];
  const behind = witness.policy.match(/http:\S+/)![0];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Uint8Array>));
    const answer = await fetch(`${behind}${request.url}`, { method: "POST", body });
    if (answer.status === 422 || answer.status === 400 || answer.status === 403) refused.push(answer.status);
    const text = await answer.text();
    // A witness ahead of the plane would be the sign of a fork.
    const size = Number(body.toString().split("\n\n")[1]?.split("\n")[1]);
    if (answer.status === 409 && Number(text) > size) refused.push(409);
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" }).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { policy: witness.policy.replace(/http:\S+/, `http://127.0.0.1:${port}`), refused };
}

test("kill -9 at any moment of enrolments, statements and sealing: what was acknowledged is there, and no witness ever minds", async (t) => {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "plane");
  const witness = await TestWitness.start(t, dir);
  const { policy, refused } = await watched(t, witness);
  const pem = generatePrivateKeyPem("p-256");
  const signer = statementSignerFromPem(pem);
  let plane = await PlaneProcess.start(t, dir, policy);
  const key = publicKeyPem(publicKeyOfPem(pem).spki);
  const added = await plane.call("POST", "/api/v1/identities", {
    name: "publisher",
    key,
    may: ["ingest"],
    repositories: ["*"],
  });
  assert.equal(added.status, 201, added.text);
  const statements = new Map<Digest, number>();
  const devices: { device: TestDevice; token: string; index: number | undefined }[] = [];
  t.after(() => Promise.all(devices.map(({ device }) => device.close())));
  for (let round = 0; round < 6; round += 1) {
    const token = await plane.enrolmentToken();
    const device = await TestDevice.create(join(folder, `device-${round}`));
    const body = await device.enrolment(plane, token);
    const place = { device, token, index: undefined as number | undefined };
    devices.push(place);
    // Killed when this many have been answered, while the others are under way.
    let left = round * 2;
    let killed: Promise<void> | undefined;
    const answered = () => {
      left -= 1;
      if (left < 0) killed ??= plane.kill();
    };
    const enrolling = call(plane.url, "POST", "/api/v1/enroll", { token, body }).then((answer) => {
      if (answer.status === 200) place.index = json<{ index: number }>(answer).index;
      answered();
    });
    const adding = Array.from({ length: 12 }, async (_, i) => {
      const digest = digestOf(utf8(`rows ${round}/${i}`));
      const files = [{ name: "rows.csv", digest, size: 1 }];
      const statement = ingestionStatement({ source: "https://data.example", license: "CC0-1.0", files });
      const envelope = await signStatement(statement, signer);
      const answer = await call(plane.url, "POST", "/api/v1/statements", {
        token: plane.adminToken,
        body: envelope.bytes,
        type: "application/vnd.dsse+json",
      });
      if (answer.status === 201) statements.set(envelope.digest, json<StatementResponse>(answer).index);
      answered();
    });
    const results = await Promise.allSettled([enrolling, ...adding]);
    assert.ok(results.some(({ status }) => status === "fulfilled") || round === 0);
    await (killed ?? plane.kill());
    for (const log of ["log", "fleet"]) {
      const report = await checkLedger(join(dir, "logs", log));
      assert.ok(report.ok, JSON.stringify(report.problems));
    }
    plane = await PlaneProcess.start(t, dir, policy);
    for (const { device: one, token: its, index } of devices) {
      const again = await one.enroll(plane, its);
      assert.equal(again.status, 200, `an enrolment is asked for again: ${again.text}`);
      if (index !== undefined) assert.equal(json<{ index: number }>(again).index, index);
    }
  }
  assert.ok(statements.size >= 20, `${statements.size} statements were acknowledged`);
  for (const [digest, index] of statements) {
    const proof = await plane.call("GET", `/api/v1/statements/${digest}/proof`);
    assert.equal(proof.status, 200, proof.text);
    assert.equal(json<{ index: number }>(proof).index, index);
  }
  await plane.kill();
  assert.deepEqual(refused, [], "an honest plane is never refused by its witness");
  await headsAgree(t, dir, witness, devices.length);
});

/** Every stored heads row is the heads entry of the log, and the newest names every device. */
async function headsAgree(t: TestContext, dir: string, witness: TestWitness, devices: number): Promise<void> {
  const plane = await TestPlane.start(t, { dir, witnessPolicy: witness.policy });
  await plane.seal();
  const { source, logs, db } = plane.plane.parts;
  const rows = await db.query<{ idx: number; fleet_size: number }>("SELECT idx, fleet_size FROM heads ORDER BY idx");
  for (const { idx, fleet_size } of rows) {
    const entry = decodeEntry(await logs.log.entry(idx));
    assert.ok(entry.kind === "heads" && entry.fleetSize === fleet_size, `row ${idx}`);
    assert.deepEqual(headsRoot(await source.headsLeaves(idx)), entry.root);
  }
  assert.equal((await source.headsLeaves(rows.at(-1)!.idx)).length, devices);
}

test("attack: whoever reads the logs of the plane, or its database, finds no token and no payload", async (t) => {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "plane");
  const plane = await PlaneProcess.start(t, dir, "", "--log");
  const device = await TestDevice.create(join(folder, "device"));
  t.after(() => device.close());
  const enrolment = await plane.enrolmentToken();
  assert.equal((await device.enroll(plane, enrolment)).status, 200);
  await device.load();
  await device.infer();
  const session = await device.token(plane);
  await device.sync(plane);
  const made = json<TokenResponse>(await plane.call("POST", "/api/v1/tokens", { role: "auditor" })).token;
  const basic = Buffer.from(`user:${made}`).toString("base64");
  const planted = "tly_planted-in-a-query";
  for (const path of [
    `/api/v1/devices?token=${planted}`,
    `/log/checkpoint?token=${planted}`,
    `/v2/?token=${planted}`,
    "/nowhere",
  ]) {
    await call(plane.url, "GET", path, { token: made });
    await fetch(plane.url + path, { headers: { authorization: `Basic ${basic}`, cookie: `t=${planted}` } });
  }
  await plane.call("POST", "/api/v1/sessions", { origin: device.origin, nonce: planted, signature: planted });
  await plane.call("POST", "/api/v1/tokens", { role: planted });
  await plane.kill();
  const written = plane.lines.join("\n");
  assert.match(written, /"url":"\/log\/checkpoint"/, "requests are logged");
  const secrets = [enrolment, session, made, basic, planted, plane.adminToken];
  for (const secret of secrets) assert.ok(!written.includes(secret), secret.slice(0, 12));
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === "admin.token") continue;
    const bytes = await readFile(join(entry.parentPath, entry.name));
    for (const secret of secrets) assert.ok(!bytes.includes(secret.slice(4)), `${entry.name} holds a token`);
  }
});
