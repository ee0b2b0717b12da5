import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  asHash,
  type EnrollResponse,
  encodeEntry,
  type GenesisResponse,
  generatePrivateKeyPem,
  hashLeaf,
  type NonceResponse,
  noteSignerFromPem,
  parseCheckpoint,
  rootOf,
  sha256,
  signCheckpoint,
  toBase64,
  utf8,
} from "@tally/evidence";
import { formatUploadHeader } from "@tally/ledger";
import { FleetManager } from "../testing/fleet-manager.ts";
import { call, errorOf, json } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { planeName, TestPlane } from "../testing/test-plane.ts";

async function twoDevices(t: TestContext): Promise<{ plane: TestPlane; device: TestDevice; other: TestDevice }> {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const device = await TestDevice.enrolled(plane, join(folder, "1"));
  const other = await TestDevice.enrolled(plane, join(folder, "2"));
  t.after(() => Promise.all([device.close(), other.close()]));
  return { plane, device, other };
}

test("attack: a session that is opened while its device is being revoked opens nothing", async (t) => {
  const { plane, device } = await twoDevices(t);
  const { tokens } = plane.plane.parts;
  const manager = await FleetManager.of(plane);
  assert.equal((await manager.revoke(device.origin, null)).status, 201);
  // As when the check came before the revocation and the token after it.
  const { token } = await tokens.create({ role: "device", repository: "*", origin: device.origin }, 3_600_000);
  assert.equal((await plane.call("GET", "/log/checkpoint", { token })).status, 401);
  assert.equal((await plane.call("GET", "/v2/", { token })).status, 401);
});

test("attack: a stranger with nonces of a device's origin makes the plane remember nothing", async (t) => {
  const { plane, device } = await twoDevices(t);
  const { origin } = device;
  const nonceOf = async () =>
    json<NonceResponse>(await call(plane.url, "POST", "/api/v1/sessions/nonce", { body: { origin } })).nonce;
  const nonce = await nonceOf();
  const open = (signature: string) =>
    call(plane.url, "POST", "/api/v1/sessions", { body: { origin, nonce, signature } });
  assert.equal((await open(toBase64(new Uint8Array(64)))).status, 401);
  assert.equal((await open("***")).status, 401);
  assert.equal((await open(await device.sign(nonce))).status, 200, "a stranger's try did not use it up");
  assert.equal((await open(await device.sign(nonce))).status, 401, "the device's own did");
});

test("attack: a device opens sessions without end", async (t) => {
  const { plane, device } = await twoDevices(t);
  const tokens: string[] = [];
  for (let i = 0; i < 40; i += 1) tokens.push(await device.freshToken(plane));
  const { db } = plane.plane.parts;
  const [row] = await db.query<{ n: number }>("SELECT COUNT(*) AS n FROM token WHERE origin = ?", [device.origin]);
  assert.ok(row!.n <= 16, `${row!.n} are kept`);
  assert.equal((await plane.call("GET", "/log/checkpoint", { token: tokens.at(-1) })).status, 200);
});

test("attack: a device's token on another's ledger, the origin in pieces, in gzip, or hidden behind a blank line", async (t) => {
  const { plane, device, other } = await twoDevices(t);
  const token = await device.token(plane);
  await other.sync(plane);
  await other.infer();
  const before = (await plane.call("GET", `/api/v1/devices/${other.id}`)).text;
  const { note } = await other.ledger.seal();
  const size = other.ledger.size;
  const offers = {
    plain: `old ${size - 1}\n\n${note}`,
    "a blank line before": `\n\n${device.origin}\nold ${size - 1}\n\n${note}`,
    "own origin first": `old ${size - 1}\n\n${device.origin}\n\n${note}`,
    "no blank line": `old ${size - 1}\n${note.replace("\n\n", "\n")}`,
    "no new line": `old 0\n\n${other.origin}`,
    "carriage returns": `old ${size - 1}\r\n\r\n${note}`,
  };
  for (const [what, text] of Object.entries(offers)) {
    const answer = await call(plane.url, "POST", "/add-checkpoint", { token, body: utf8(text), type: "text/plain" });
    assert.ok(answer.status === 400 || answer.status === 403, `${what}: ${answer.status} ${answer.text}`);
  }
  const header = formatUploadHeader({ origin: other.origin, start: size - 1, end: size, ticket: new Uint8Array(0) });
  for (const cut of [0, 1, 2, 3, header.length - 1]) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(header.slice(0, cut));
        controller.enqueue(header.slice(cut));
        controller.close();
      },
    });
    const answer = await fetch(`${plane.url}/add-entries`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/octet-stream" },
      body,
      duplex: "half",
    } as RequestInit);
    assert.ok(answer.status === 400 || answer.status === 403, `cut at ${cut}: ${answer.status}`);
  }
  const zipped = new Blob([header as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip"));
  const answer = await fetch(`${plane.url}/add-entries`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/octet-stream",
      "content-encoding": "gzip",
    },
    body: zipped,
    duplex: "half",
  } as RequestInit);
  assert.ok(answer.status === 400 || answer.status === 403, `gzip: ${answer.status}`);
  assert.equal((await plane.call("GET", `/api/v1/devices/${other.id}`)).text, before);
});

test("attack: a device reads what is another's, under every other spelling of its name", async (t) => {
  const { plane, device, other } = await twoDevices(t);
  const token = await device.token(plane);
  for (const each of [device, other]) await each.sync(plane);
  const hashOf = ({ origin }: TestDevice) => createHash("sha256").update(origin).digest("hex");
  const [own, theirs] = [hashOf(device), hashOf(other)];
  for (const path of [
    `/mirror/${theirs}/checkpoint`,
    `/mirror/${theirs.toUpperCase()}/checkpoint`,
    `/mirror/${own}/%2e%2e/${theirs}/checkpoint`,
    `/mirror/${own}/..%2f${theirs}/checkpoint`,
    `/mirror/${own}%2f..%2f${theirs}/checkpoint`,
    `/mirror/${own}//checkpoint`,
    `/witness/${theirs}/checkpoint`,
    `/api/v1/devices/${other.id}`,
    `/api/v1/devices/${device.id}%2f..%2f${other.id}`,
    `/api/v1/receipts/${other.id}/2`,
    "/api/v1/devices",
    "/api/v1/audit?from=1&to=2",
    "/api/v1/trust",
  ]) {
    const answer = await call(plane.url, "GET", path, { token });
    assert.ok([400, 403, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text.slice(0, 80)}`);
    assert.ok(!answer.text.includes(other.id), path);
  }
});

test("attack: enrolment with a key set that would never hold, or that costs the plane", async (t) => {
  const plane = await TestPlane.start(t);
  const token = await plane.enrolmentToken();
  const { checkpoint } = json<GenesisResponse>(await call(plane.url, "GET", "/api/v1/genesis", { token }));
  const deviceId = "0123456789abcdef0123456789abcdef";
  const origin = `${planeName}/d/${deviceId}/0`;
  const signer = (type: 1 | 6) =>
    noteSignerFromPem(origin, type, generatePrivateKeyPem(type === 1 ? "ed25519" : "ml-dsa-44"));
  const { size, root } = parseCheckpoint(checkpoint).checkpoint;
  const enroll = async (signers: ReturnType<typeof signer>[]) => {
    const genesis = encodeEntry({
      kind: "genesis",
      time: 1,
      version: 1,
      deviceId,
      epoch: 0,
      keySet: signers.map(({ key }) => ({ type: key.type, publicKey: key.publicKey })),
      plane: planeName,
      anchor: { size, root, noteHash: sha256(utf8(checkpoint)) },
      nonce: asHash(new Uint8Array(32)),
    });
    const note = await signCheckpoint({ origin, size: 1, root: rootOf([hashLeaf(genesis)]) }, signers, 0);
    const body = { deviceId, origin, genesis: toBase64(genesis), checkpoint: note };
    return call(plane.url, "POST", "/api/v1/enroll", { token, body });
  };
  const sets = { "one key": [signer(1)], "no session key": [signer(6)], many: [signer(1), signer(1), signer(6)] };
  for (const [what, signers] of Object.entries(sets)) {
    const answer = await enroll(signers);
    assert.equal(errorOf(answer)?.code, "bad-request", `${what}: ${answer.text}`);
  }
  assert.equal((await enroll([signer(1), signer(6)])).status, 200, "and the token is still good");
});

test("attack: two tokens, two key pairs, one device id: the first keeps it", async (t) => {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const device = await TestDevice.create(join(folder, "1"));
  t.after(() => device.close());
  const first = await plane.enrolmentToken();
  const body = await device.enrolment(plane, first);
  assert.equal((await call(plane.url, "POST", "/api/v1/enroll", { token: first, body })).status, 200);
  const index = json<EnrollResponse>(await call(plane.url, "POST", "/api/v1/enroll", { token: first, body })).index;
  // A second token enrols nobody anew, and is not used up by being shown.
  const second = await plane.enrolmentToken();
  const again = await call(plane.url, "POST", "/api/v1/enroll", { token: second, body });
  assert.equal(json<EnrollResponse>(again).index, index);
  const late = await TestDevice.create(join(folder, "2"));
  t.after(() => late.close());
  assert.equal((await late.enroll(plane, second)).status, 200);
  const later = await TestDevice.create(join(folder, "3"));
  t.after(() => later.close());
  assert.equal((await later.enroll(plane, second)).status, 401);
});
