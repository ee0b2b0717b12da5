import assert from "node:assert/strict";
import { test } from "node:test";
import {
  envelopeMediaType,
  generatePrivateKeyPem,
  type IdentityList,
  ingestionStatement,
  keyRotationStatement,
  parseDigest,
  publicKeyPem,
  type Signer,
  type Statement,
  signStatement,
  statementSignerFromPem,
} from "@tally/evidence";
import { json } from "../testing/plane-client.ts";
import { TestPlane } from "../testing/test-plane.ts";

const minute = 60_000;

let plane: TestPlane;
const nowMs = Date.now();

const newSigner = (): Signer => statementSignerFromPem(generatePrivateKeyPem("p-256"));

let files = 0;
const ingestion = () =>
  ingestionStatement({
    source: "https://data.example/heart",
    license: "CC-BY-4.0",
    files: [{ name: "rows.csv", digest: parseDigest(`sha256:${String(++files).padStart(64, "0")}`), size: 1 }],
  });

async function add(name: string, signer: Signer, period: { from?: number; until?: number } = {}): Promise<void> {
  const body = { name, key: publicKeyPem(signer.identity.spki), may: ["ingest"], repositories: ["*"], ...period };
  const { status, text } = await plane.call("POST", "/api/v1/identities", { body });
  assert.equal(status, 201, text);
}

async function post(statement: Statement, ...signers: readonly Signer[]) {
  return bring((await signStatement(statement, ...signers)).bytes);
}

async function bring(bytes: Uint8Array) {
  const { status, text } = await plane.call("POST", "/api/v1/statements", { body: bytes, type: envelopeMediaType });
  return { status, text };
}

function rotation(old: Signer, next: Signer, retiresAt = nowMs + minute) {
  return keyRotationStatement({ oldKeyId: old.keyId, newKey: next.identity, retiresAt, reason: "a new card" });
}

async function refused(what: Promise<{ status: number; text: string }>, status: number, message: RegExp) {
  const answer = await what;
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.text, message);
}

test("a person goes on with a new key, which has the old one's rights; the old one signs nothing new, also after a restart", async (t) => {
  plane = await TestPlane.start(t);
  const [old, next] = [newSigner(), newSigner()];
  const until = nowMs + 1000 * minute;
  await add("rotating", old, { until });
  assert.equal((await post(ingestion(), old)).status, 201);
  await refused(post(ingestion(), next), 403, /which this plane does not know/);
  const { bytes } = await signStatement(rotation(old, next), old, next);
  assert.equal((await bring(bytes)).status, 201);
  for (const round of ["before", "after"]) {
    await refused(post(ingestion(), old), 403, /is revoked: it signs nothing new/);
    assert.equal((await post(ingestion(), next)).status, 201, round);
    const { identities } = json<IdentityList>(await plane.call("GET", "/api/v1/identities"));
    const own = identities.filter(({ name }) => name === "rotating");
    assert.deepEqual(
      own.map(({ may, until: end }) => [may, end]),
      [
        [["ingest"], until],
        [["ingest"], until],
      ],
    );
    if (round === "before") {
      await plane.stop();
      await plane.start();
    }
  }
  // The same envelope again is answered as it was the first time.
  assert.equal((await bring(bytes)).status, 201);
});

test("attack: a rotation by a thief who has only the new key, by a revoked key, to a key of somebody else", async (t) => {
  plane = await TestPlane.start(t);
  const [old, next, other, unknown] = [newSigner(), newSigner(), newSigner(), newSigner()];
  await add("victim", old);
  await add("other", other);
  await refused(post(rotation(old, next), next), 403, /not both signed/);
  await refused(post(rotation(old, next), old), 403, /not both signed/);
  await refused(post(rotation(old, next), other, next), 403, /not both signed/);
  await refused(post(rotation(unknown, next), unknown, next), 403, /nobody's whom this plane knows/);
  await refused(post(rotation(old, other), old, other), 409, /the new key is known already, as other's/);
  assert.equal((await post(rotation(old, next), old, next)).status, 201);
  await refused(post(rotation(old, unknown), old, unknown), 403, /is revoked: it names no other in its place/);
});

test("attack: a thief retires a key in the past, so that nothing counts that its holder has signed", async (t) => {
  plane = await TestPlane.start(t);
  const [old, next] = [newSigner(), newSigner()];
  await add("long-standing", old);
  for (const retiresAt of [0, nowMs - 6 * minute, nowMs + 400 * 24 * 60 * minute]) {
    await refused(post(rotation(old, next, retiresAt), old, next), 400, /at a time that is past, or more than a year/);
  }
  await refused(post(rotation(old, old), old), 400, /cannot take its own place/);
});

test("a key whose period has not begun, or is over, signs nothing new, and the plane says which", async (t) => {
  plane = await TestPlane.start(t);
  const [early, late, within] = [newSigner(), newSigner(), newSigner()];
  await add("early", early, { from: nowMs + 1000 * minute });
  await add("late", late, { until: nowMs });
  await add("within", within, { from: nowMs - minute, until: nowMs + 1000 * minute });
  await refused(post(ingestion(), early), 403, /early may not ingest now: the key counts from .* on/);
  await refused(post(ingestion(), late), 403, /late may not ingest now: the key counts until/);
  assert.equal((await post(ingestion(), within)).status, 201);
  const answer = await plane.call("POST", "/api/v1/identities", {
    body: { name: "x", key: publicKeyPem(early.identity.spki), may: [], repositories: ["*"], from: 5, until: 5 },
  });
  assert.equal(answer.status, 400);
});
