import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { generatePrivateKeyPem } from "#crypto";
import { fromUtf8, toBase64, utf8 } from "../bytes.ts";
import { encodeJson, type JsonObject } from "../content/i-json.ts";
import { digestOf } from "../digest.ts";
import {
  encodeStatement,
  makeStatement,
  pae,
  parseEnvelope,
  parseStatement,
  payloadType,
  publicIdentity,
  publicIdentityFromPem,
  publicKeyPem,
  type Statement,
  signStatement,
  statementSignerFromPem,
  verifyEnvelope,
} from "./index.ts";

const statement = makeStatement([{ name: "model", digest: digestOf(utf8("model")) }], "urn:example:v1", { ok: true });
const signer = (algorithm: "p-256" | "p-384" | "ed25519" | "ml-dsa-44" = "p-256") =>
  statementSignerFromPem(generatePrivateKeyPem(algorithm));
const envelopeOf = (fields: JsonObject) => utf8(JSON.stringify(fields));

test("the pre-authentication encoding is that of DSSE's own example", () => {
  const encoded = pae("http://example.com/HelloWorld", utf8("hello world"));
  assert.equal(fromUtf8(encoded), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  assert.equal(fromUtf8(pae("ü", utf8("é"))), "DSSEv1 2 ü 2 é");
});

for (const algorithm of ["p-256", "p-384", "ed25519", "ml-dsa-44"] as const) {
  test(`a statement signed with ${algorithm} verifies with that key and no other`, async () => {
    const publisher = signer(algorithm);
    const envelope = await signStatement(statement, publisher);
    assert.deepEqual(envelope.statement, statement);
    assert.equal(envelope.digest, digestOf(envelope.bytes));
    assert.equal(envelope.signatures[0]?.keyId, publisher.keyId);
    assert.deepEqual(verifyEnvelope(envelope, [signer(algorithm).identity, publisher.identity]), [publisher.identity]);
    assert.deepEqual(verifyEnvelope(envelope, [signer("p-256").identity, signer("ed25519").identity]), []);
  });
}

test("a P-521 signature verifies", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-521" });
  const identity = publicIdentity(new Uint8Array(publicKey.export({ format: "der", type: "spki" })));
  const payload = encodeStatement(statement);
  const sig = toBase64(new Uint8Array(sign("sha512", pae(payloadType, payload), privateKey)));
  const envelope = parseEnvelope(envelopeOf({ payload: toBase64(payload), payloadType, signatures: [{ sig }] }));
  assert.equal(identity.algorithm, "p-521");
  assert.deepEqual(verifyEnvelope(envelope, [identity]), [identity]);
});

test("an envelope says which of several people signed it, whatever its key ids claim", async () => {
  const [first, second, other] = [signer(), signer("ed25519"), signer()];
  const { payload, signatures } = await signStatement(statement, first, second);
  const claimed = signatures.map(({ signature }) => ({ keyid: other.keyId, sig: toBase64(signature) }));
  const envelope = parseEnvelope(envelopeOf({ payload: toBase64(payload), payloadType, signatures: claimed }));
  const people = [other, second, first].map(({ identity }, i) => ({
    ...identity,
    name: ["other", "second", "first"][i],
  }));
  assert.deepEqual(
    verifyEnvelope(envelope, people).map(({ name }) => name),
    ["second", "first"],
  );
});

test("an attacker who changes the statement under a signature is noticed", async () => {
  const publisher = signer();
  const { signatures } = await signStatement(statement, publisher);
  const forged = encodeStatement({ ...statement, predicate: { ok: false } });
  const [signature] = signatures;
  assert.ok(signature);
  const sig = toBase64(signature.signature);
  const envelope = parseEnvelope(envelopeOf({ payload: toBase64(forged), payloadType, signatures: [{ sig }] }));
  assert.deepEqual(verifyEnvelope(envelope, [publisher.identity]), []);
});

test("both base64 alphabets are read, and key ids may be absent, empty or null", async () => {
  const publisher = signer();
  const { payload, signatures } = await signStatement(
    makeStatement([{ digest: digestOf(utf8("x")) }], "urn:x", { text: "þÿ?>~~~" }),
    publisher,
  );
  const urlSafe = (bytes: Uint8Array) => toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_");
  assert.notEqual(urlSafe(payload), toBase64(payload));
  const sig = urlSafe(signatures[0]?.signature ?? new Uint8Array());
  for (const signature of [{ sig }, { sig, keyid: "" }, { sig, keyid: null }]) {
    const fields = { payload: urlSafe(payload), payloadType, signatures: [signature], extra: 1 };
    const envelope = parseEnvelope(envelopeOf(fields));
    assert.equal(envelope.signatures[0]?.keyId, "");
    assert.deepEqual(verifyEnvelope(envelope, [publisher.identity]), [publisher.identity]);
  }
});

test("what is no envelope around a statement is refused, and the error names the field", () => {
  const good = { payload: toBase64(encodeStatement(statement)), payloadType, signatures: [{ sig: "AAAA" }] };
  const refuses = (fields: object, code: string, message: RegExp) =>
    assert.throws(() => parseEnvelope(envelopeOf(fields as JsonObject)), { code, message });
  assert.ok(parseEnvelope(envelopeOf(good)));
  refuses({ ...good, payloadType: "text/plain" }, "envelope-invalid", /^payloadType: expected one of application/);
  refuses({ ...good, signatures: [] }, "envelope-invalid", /^signatures: expected a list of at least one/);
  refuses({ ...good, signatures: [{}] }, "envelope-invalid", /^signatures\[0\]\.sig: expected text, found nothing/);
  refuses({ ...good, signatures: [{ sig: "A" }] }, "envelope-invalid", /^signatures\[0\]\.sig: .*base64/);
  refuses({ ...good, signatures: Array(17).fill({ sig: "AAAA" }) }, "envelope-invalid", /at most 16/);
  refuses({ ...good, payload: "+_==" }, "envelope-invalid", /^payload: /);
  refuses({ ...good, payload: toBase64(utf8("[]")) }, "statement-invalid", /expected an object/);
  assert.throws(() => parseEnvelope(utf8('{"payload":"","payload":""}')), { message: /"payload" stands twice/ });
});

test("a statement needs its type and subjects with SHA-256 digests", () => {
  const plain = JSON.parse(fromUtf8(encodeStatement(statement))) as JsonObject;
  const refuses = (fields: object, message: RegExp) =>
    assert.throws(() => parseStatement(encodeJson(fields as JsonObject)), { code: "statement-invalid", message });
  refuses({ ...plain, _type: "https://in-toto.io/Statement/v0.1" }, /^_type: /);
  refuses({ ...plain, subject: [] }, /^subject: expected a list of at least one/);
  refuses({ ...plain, subject: [{ digest: { gitCommit: "00" } }] }, /^subject\[0\]\.digest\.sha256: expected text/);
  refuses({ ...plain, subject: [{ digest: { sha256: "AB".repeat(32) } }] }, /64 lowercase hex digits/);
  refuses({ ...plain, predicate: [] }, /^predicate: expected an object/);
  assert.throws(() => makeStatement([], "urn:x", {}), { code: "statement-invalid" });
  const extended = { ...plain, later: 1, subject: [{ digest: { sha256: "ab".repeat(32), sha512: "00" }, uri: "x" }] };
  assert.equal(parseStatement(encodeJson(extended)).subject[0]?.digest.sha256, "ab".repeat(32));
});

test("a public key survives PEM, and PEM of other things is refused", () => {
  for (const algorithm of ["p-256", "p-384", "ed25519", "ml-dsa-44"] as const) {
    const { identity } = signer(algorithm);
    assert.equal(identity.algorithm, algorithm);
    assert.deepEqual(publicIdentityFromPem(publicKeyPem(identity.spki)), identity);
  }
  assert.throws(() => publicIdentityFromPem(generatePrivateKeyPem("p-256")), { code: "key-invalid" });
  const twice = publicKeyPem(signer().identity.spki) + publicKeyPem(signer().identity.spki);
  assert.throws(() => publicIdentityFromPem(twice), { code: "key-invalid", message: /one PEM block/ });
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rsa = publicKey.export({ format: "pem", type: "spki" }) as string;
  assert.throws(() => publicIdentityFromPem(rsa), { code: "key-invalid", message: /not one that is used/ });
});

test("a private key's identity is the same as its public half's in PEM from another tool", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const own = statementSignerFromPem(privateKey.export({ format: "pem", type: "pkcs8" }) as string);
  assert.deepEqual(publicIdentityFromPem(publicKey.export({ format: "pem", type: "spki" }) as string), own.identity);
});

test("arbitrary bytes are refused as an envelope with an error of ours", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(utf8)), (bytes) => {
      assert.throws(() => parseEnvelope(bytes), { name: "EvidenceError" });
    }),
  );
});

test("every statement comes back from its bytes", () => {
  const statements: fc.Arbitrary<Statement> = fc
    .tuple(fc.string({ minLength: 1 }), fc.uint8Array(), fc.dictionary(fc.string(), fc.jsonValue()))
    .map(([name, bytes, predicate]) => {
      const plain = JSON.parse(JSON.stringify(predicate)) as JsonObject;
      return makeStatement([{ name, digest: digestOf(bytes) }], "urn:example:v1", plain);
    });
  fc.assert(fc.property(statements, (s) => assert.deepEqual(parseStatement(encodeStatement(s)), s)));
});
