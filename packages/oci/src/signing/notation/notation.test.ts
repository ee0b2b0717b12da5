import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeJson, type JsonObject, parseDigest, statementSignerFromPem } from "@tally/evidence";
import type { Descriptor } from "../../artifact/descriptor.ts";
import { codeSigning, type Maker, makeCertificate, serverAuthentication } from "../certificate-maker.ts";
import { NotMade } from "../not-made.ts";
import { jwsMediaType } from "./jws.ts";
import { signNotation } from "./sign.ts";
import { notationSigner } from "./signer.ts";
import { verifyNotation } from "./verify.ts";

const subject: Descriptor = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: parseDigest(`sha256:${"a".repeat(64)}`),
  size: 500,
};
const at = new Date("2026-06-01T00:00:00Z");
const root = makeCertificate({ name: "root", ca: true, keyUsage: 0x04 });
const leaf = makeCertificate({ name: "leaf", issuer: root, keyUsage: 0x80, purposes: [codeSigning] });

const pem = (...makers: readonly Maker[]) => makers.map(({ certificate }) => certificate.toString()).join("");
const signerOf = ({ key }: Maker) =>
  notationSigner(statementSignerFromPem(key.export({ format: "pem", type: "pkcs8" }) as string));

async function signed(by: Maker = leaf, chain = pem(by, root), what = subject): Promise<Uint8Array> {
  const options = { signer: signerOf(by), certificateChainPem: chain, at, format: "jws" } as const;
  return (await signNotation(what, options)).envelope;
}

function verify(envelope: Uint8Array, trust: object = {}) {
  return verifyNotation(jwsMediaType, envelope, subject, { trustedCertificatesPem: pem(root), at, ...trust });
}

const refused = { code: "signature-invalid" } as const;

/** The envelope with its protected header changed and signed anew by its own key, as a signer with other habits would. */
async function resigned(change: (said: Record<string, unknown>) => void): Promise<Uint8Array> {
  const json = JSON.parse(Buffer.from(await signed()).toString()) as Record<string, string>;
  const said = JSON.parse(Buffer.from(json.protected!, "base64url").toString()) as Record<string, unknown>;
  change(said);
  json.protected = Buffer.from(JSON.stringify(said)).toString("base64url");
  const { sign } = await import("node:crypto");
  const message = Buffer.from(`${json.protected}.${json.payload}`);
  json.signature = sign("sha256", message, { key: leaf.key, dsaEncoding: "ieee-p1363" }).toString("base64url");
  return encodeJson(json as unknown as JsonObject);
}

test("a Notary Project signature holds by the root above its certificate", async () => {
  const { path } = await verify(await signed());
  assert.deepEqual(
    path.map(({ subject: name }) => name),
    ["CN=leaf", "CN=root"],
  );
});

test("it does not hold by another root, and without a root nothing is claimed", async () => {
  const other = makeCertificate({ name: "root", ca: true, keyUsage: 0x04 });
  const envelope = await signed();
  await assert.rejects(verify(envelope, { trustedCertificatesPem: pem(other) }), refused);
  await assert.rejects(verify(envelope, { trustedCertificatesPem: undefined }), NotMade);
});

test("a signature of another artifact, or of another size or type by the same digest, is not this one's", async () => {
  for (const other of [
    { ...subject, digest: parseDigest(`sha256:${"b".repeat(64)}`) },
    { ...subject, size: 501 },
    { ...subject, mediaType: "application/vnd.docker.distribution.manifest.v2+json" },
  ]) {
    const envelope = await signed(leaf, pem(leaf, root), other);
    await assert.rejects(verify(envelope), /it is about sha256/);
  }
});

test("an attacker who swaps the payload under a signature is caught", async () => {
  const json = JSON.parse(Buffer.from(await signed()).toString());
  json.payload = Buffer.from(JSON.stringify({ targetArtifact: subject, extra: 1 })).toString("base64url");
  await assert.rejects(verify(encodeJson(json)), /does not verify/);
});

test("an attacker who puts a trusted certificate before their own signature is caught", async () => {
  const attacker = makeCertificate({ name: "leaf", ca: true, keyUsage: 0x84, purposes: [codeSigning] });
  const json = JSON.parse(Buffer.from(await signed(attacker, pem(attacker))).toString());
  const honest = JSON.parse(Buffer.from(await signed()).toString());
  json.header = honest.header;
  await assert.rejects(verify(encodeJson(json)), /does not verify/);
});

test("a certificate for servers signs nothing here, nor does one that has expired", async () => {
  const server = makeCertificate({ name: "server", issuer: root, keyUsage: 0x80, purposes: [serverAuthentication] });
  const serverSigned = await signed(server);
  await assert.rejects(verify(serverSigned), /may not sign code/);
  const old = makeCertificate({ name: "old", issuer: root, keyUsage: 0x80, until: "2026-01-01" });
  const oldSigned = await signed(old);
  await assert.rejects(verify(oldSigned), /is valid from/);
});

const oddities: Readonly<Record<string, (said: Record<string, unknown>) => void>> = {
  "with the algorithm none": (said) => {
    said.alg = "none";
  },
  "with an algorithm for another kind of key": (said) => {
    said.alg = "PS256";
  },
  "with an algorithm for another curve": (said) => {
    said.alg = "ES384";
  },
  "that has to be understood and is not": (said) => {
    said.crit = ["io.cncf.notary.signingScheme", "io.cncf.notary.verificationPlugin"];
  },
  "without a critical scheme": (said) => {
    delete said.crit;
  },
  "of another scheme": (said) => {
    said["io.cncf.notary.signingScheme"] = "notary.x509.signingAuthority";
  },
  "of another payload type": (said) => {
    said.cty = "text/plain";
  },
  "past its own expiry": (said) => {
    said.crit = ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"];
    said["io.cncf.notary.expiry"] = "2026-05-31T23:59:59Z";
  },
};
for (const [what, change] of Object.entries(oddities)) {
  test(`a signature ${what} is refused`, async () => {
    const envelope = await resigned(change);
    await assert.rejects(verify(envelope), refused);
  });
}

test("a signature before its own expiry holds", async () => {
  const envelope = await resigned((said) => {
    said.crit = ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"];
    said["io.cncf.notary.expiry"] = "2026-06-01T00:00:01Z";
  });
  assert.equal((await verify(envelope)).path.length, 2);
});

test("signing takes the key's own chain up to a root, and no Ed25519 keys", async () => {
  await assert.rejects(signed(leaf, pem(root)), /not for the signing key/);
  await assert.rejects(signed(leaf, pem(leaf)), /no root/);
});

test("an envelope of another kind is neither good nor bad", async () => {
  const envelope = await signed();
  await assert.rejects(verifyNotation("application/pkcs7-signature", envelope, subject, { at }), NotMade);
});

test("every ECDSA signature keeps its length in JOSE's form, also where a half of it is short", async () => {
  const { plainEcdsa } = await import("./ecdsa.ts");
  const { sign, verify: check } = await import("node:crypto");
  for (let i = 0; i < 600; i += 1) {
    const message = Buffer.from(`message ${i}`);
    const plain = plainEcdsa(sign("sha256", message, leaf.key), "p-256");
    assert.equal(plain.length, 64);
    assert.ok(check("sha256", message, { key: leaf.certificate.publicKey, dsaEncoding: "ieee-p1363" }, plain));
  }
});
