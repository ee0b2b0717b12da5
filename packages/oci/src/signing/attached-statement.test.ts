import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeJson,
  generatePrivateKeyPem,
  type JsonObject,
  pae,
  parseDigest,
  payloadType,
  publicKeyOfPem,
  publicKeyPem,
  statementSignerFromPem,
  toBase64,
} from "@tally/evidence";
import {
  containerSignatureStatement,
  containerSignatureType,
  signerBundle,
  signForBundle,
  verifyAttachment,
} from "./index.ts";
import { NotMade } from "./not-made.ts";

const artifact = parseDigest(`sha256:${"a".repeat(64)}`);
const pem = generatePrivateKeyPem("p-256");
const signer = statementSignerFromPem(pem);
const trust = { publicKeyPem: publicKeyPem(publicKeyOfPem(pem).spki) };

async function signedArtifact(): Promise<Record<string, JsonObject>> {
  const envelope = await signForBundle(containerSignatureStatement(artifact), signer);
  return JSON.parse(Buffer.from(await signerBundle(envelope, signer)).toString());
}

/** A bundle around whatever statement, signed well. */
async function around(statement: JsonObject, type: string = payloadType): Promise<Uint8Array> {
  const payload = encodeJson(statement);
  const sig = toBase64(await signer.sign(pae(type, payload)));
  const dsseEnvelope = { payload: toBase64(payload), payloadType: type, signatures: [{ sig }] };
  return encodeJson({ ...(await signedArtifact()), dsseEnvelope });
}

const statement = {
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "other", digest: { sha1: "00" } }, { digest: { sha256: "a".repeat(64) } }],
  predicateType: "https://example.org/grade/v1",
  predicate: { grade: "good" },
};

test("a signed artifact verifies by its signer's key, and by no other", async () => {
  const bundle = encodeJson(await signedArtifact());
  const { predicateType, signer: found } = await verifyAttachment(bundle, artifact, trust);
  assert.equal(predicateType, containerSignatureType);
  assert.equal(found.keyId, signer.keyId);
  const other = { publicKeyPem: publicKeyPem(publicKeyOfPem(generatePrivateKeyPem("p-256")).spki) };
  await assert.rejects(verifyAttachment(bundle, artifact, other), /another key/);
  await assert.rejects(verifyAttachment(bundle, artifact, {}), NotMade);
});

test("the key is known by cosign's hint too", async () => {
  const bundle = await signedArtifact();
  const hint = Buffer.from(signer.keyId, "hex").toString("base64");
  const renamed = encodeJson({ ...bundle, verificationMaterial: { publicKey: { hint } } });
  assert.equal((await verifyAttachment(renamed, artifact, trust)).predicateType, containerSignatureType);
});

test("in-toto statements of versions 1 and 0.1 are read, with further subjects and digests", async () => {
  for (const _type of ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"]) {
    const found = await verifyAttachment(await around({ ...statement, _type }), artifact, trust);
    assert.deepEqual(found.predicate, { grade: "good" });
  }
});

test("a statement about another artifact, well signed, is not about this one", async () => {
  const other = parseDigest(`sha256:${"b".repeat(64)}`);
  await assert.rejects(verifyAttachment(encodeJson(await signedArtifact()), other, trust), /not about sha256:bbb/);
  await assert.rejects(verifyAttachment(await around({ ...statement, subject: [] }), artifact, trust), /about nothing/);
});

for (const [what, make] of [
  ["another type of statement", () => around({ ...statement, _type: "https://example.org/Statement" })],
  ["no subject", () => around({ ...statement, subject: "all" })],
  ["another payload type", () => around(statement, "text/plain")],
  [
    "two signatures",
    async () => {
      const { dsseEnvelope, ...bundle } = await signedArtifact();
      const { signatures } = dsseEnvelope as unknown as { signatures: JsonObject[] };
      return encodeJson({ ...bundle, dsseEnvelope: { ...dsseEnvelope, signatures: [...signatures, ...signatures] } });
    },
  ],
  [
    "its payload swapped",
    async () => {
      const { dsseEnvelope, ...bundle } = await signedArtifact();
      const payload = toBase64(encodeJson({ ...statement, predicateType: containerSignatureType }));
      return encodeJson({ ...bundle, dsseEnvelope: { ...dsseEnvelope, payload } });
    },
  ],
] as const) {
  test(`an attachment with ${what} is refused`, async () => {
    await assert.rejects(verifyAttachment(await make(), artifact, trust), { code: "signature-invalid" });
  });
}
