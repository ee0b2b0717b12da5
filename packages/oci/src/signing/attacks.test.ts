// Attacks on whoever verifies a signature, by their names. What each leaves alone is good, so that what is refused is the attack.

import assert from "node:assert/strict";
import { createHmac, sign } from "node:crypto";
import { test } from "node:test";
import { encodeJson, type JsonObject, parseDigest, statementSignerFromPem } from "@tally/evidence";
import { decode, encode, Tagged } from "cborg";
import type { Descriptor } from "../artifact/descriptor.ts";
import { memoryFile } from "../tar/index.ts";
import { containerSignatureStatement, verifyAttachment } from "./attached-statement.ts";
import { certificateBundle, keyBundle, parseModelBundle, signForBundle } from "./bundle.ts";
import { type CertificateWish, codeSigning, type Maker, makeCertificate } from "./certificate-maker.ts";
import { signModel, verifyModel } from "./index.ts";
import { coseMediaType } from "./notation/cose.ts";
import { jwsMediaType } from "./notation/jws.ts";
import { type NotationFormat, signNotation } from "./notation/sign.ts";
import { notationSigner } from "./notation/signer.ts";
import { verifyNotation } from "./notation/verify.ts";

const subject: Descriptor = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: parseDigest(`sha256:${"a".repeat(64)}`),
  size: 500,
};
const digest = parseDigest(`sha256:${"a".repeat(64)}`);
const at = new Date("2026-06-01T00:00:00Z");
const signing = { keyUsage: 0x80, purposes: [codeSigning] };
const root = makeCertificate({ name: "root", ca: true, keyUsage: 0x04 });
const middle = makeCertificate({ name: "middle", issuer: root, ca: true, keyUsage: 0x04 });
const leaf = makeCertificate({ name: "leaf", issuer: middle, ...signing });
const attacker = makeCertificate({ name: "leaf", ...signing });

const pemOf = ({ key }: Maker) => key.export({ format: "pem", type: "pkcs8" }) as string;
const pem = (...makers: readonly Maker[]) => makers.map(({ certificate }) => certificate.toString()).join("");
const publicPem = ({ certificate }: Maker) => certificate.publicKey.export({ format: "pem", type: "spki" }) as string;
const refused = (message: RegExp) => ({ code: "signature-invalid", message });

async function notation(format: NotationFormat = "jws"): Promise<Uint8Array> {
  const signer = notationSigner(statementSignerFromPem(pemOf(leaf)));
  const certificateChainPem = pem(leaf, middle, root);
  return (await signNotation(subject, { signer, certificateChainPem, format, at })).envelope;
}

function verify(envelope: Uint8Array, mediaType = jwsMediaType, trusted = pem(root)) {
  return verifyNotation(mediaType, envelope, subject, { trustedCertificatesPem: trusted, at });
}

type Jws = { payload: string; protected: string; signature: string; header: Record<string, unknown> };

async function jws(change: (json: Jws) => void): Promise<Uint8Array> {
  const json = JSON.parse(Buffer.from(await notation()).toString()) as Jws;
  change(json);
  return encodeJson(json as unknown as JsonObject);
}

/** The JWS with its protected header replaced by this text, and signed anew by a key. */
function jwsSaying(text: (said: string) => string, by: Maker = leaf, chain: readonly Maker[] = [leaf, middle, root]) {
  return jws((json) => {
    json.protected = Buffer.from(text(Buffer.from(json.protected, "base64url").toString())).toString("base64url");
    const message = Buffer.from(`${json.protected}.${json.payload}`);
    json.signature = sign("sha256", message, { key: by.key, dsaEncoding: "ieee-p1363" }).toString("base64url");
    json.header.x5c = chain.map(({ certificate }) => certificate.raw.toString("base64"));
  });
}

/** The COSE envelope with its parts changed, and signed anew by the honest key. */
async function cose(change: (said: Map<unknown, unknown>, unsigned: Map<unknown, unknown>) => void) {
  const options = { useMaps: true, tags: Tagged.preserve(1, 18) } as const;
  const { value } = decode(await notation("cose"), options) as Tagged;
  const [header, unsigned, payload] = value as [Uint8Array, Map<unknown, unknown>, Uint8Array];
  const said = decode(header, options) as Map<unknown, unknown>;
  change(said, unsigned);
  const changed = encode(said);
  const message = encode(["Signature1", changed, new Uint8Array(), payload]);
  const signature = sign("sha256", message, { key: leaf.key, dsaEncoding: "ieee-p1363" });
  return encode(new Tagged(18, [changed, unsigned, payload, signature]));
}

test("what the attacks below begin with holds", async () => {
  for (const format of ["jws", "cose"] as const) {
    const mediaType = format === "jws" ? jwsMediaType : coseMediaType;
    assert.equal((await verify(await notation(format), mediaType)).path.length, 3);
  }
  assert.equal((await verify(await jwsSaying((said) => said))).path.length, 3);
  assert.equal((await verify(await cose(() => {}), coseMediaType)).path.length, 3);
});

test("attack: signature stripping, in JWS and COSE", async () => {
  const empty = await jws((json) => {
    json.signature = "";
  });
  await assert.rejects(verify(empty), refused(/does not verify/));
  const { value } = decode(await notation("cose"), { useMaps: true, tags: Tagged.preserve(1, 18) }) as Tagged;
  const bare = encode(new Tagged(18, [...(value as unknown[]).slice(0, 3), new Uint8Array()]));
  await assert.rejects(verify(bare, coseMediaType), refused(/does not verify/));
});

test("attack: algorithm confusion, the public key as the secret of an HMAC", async () => {
  const forged = await jws((json) => {
    const said = Buffer.from(json.protected, "base64url").toString().replace("ES256", "HS256");
    json.protected = Buffer.from(said).toString("base64url");
    json.signature = createHmac("sha256", publicPem(leaf))
      .update(`${json.protected}.${json.payload}`)
      .digest("base64url");
  });
  await assert.rejects(verify(forged), refused(/HS256 is none that is allowed/));
});

test("attack: algorithm confusion, another one of the list than the key's", async () => {
  for (const alg of ["ES384", "ES512", "PS256", "PS512"]) {
    await assert.rejects(verify(await jwsSaying((said) => said.replace("ES256", alg))), refused(/not for its cert/));
  }
  for (const alg of ["none", "NONE", "RS256", "EdDSA", "es256", ""]) {
    await assert.rejects(
      verify(await jwsSaying((said) => said.replace("ES256", alg))),
      refused(/none that is allowed/),
    );
  }
});

test("attack: names of one encoding's algorithms in the other", async () => {
  await assert.rejects(
    verify(await jwsSaying((said) => said.replace('"ES256"', "-7"))),
    refused(/none that is allowed/),
  );
  const named = await cose((said) => said.set(1, "ES256"));
  await assert.rejects(verify(named, coseMediaType), refused(/none that is allowed/));
});

test("attack: the algorithm outside of what is signed", async () => {
  const moved = await cose((said, unsigned) => {
    unsigned.set(1, said.get(1));
    said.delete(1);
  });
  await assert.rejects(verify(moved, coseMediaType), refused(/undefined is none that is allowed/));
  const both = await cose((_, unsigned) => unsigned.set(1, -7));
  await assert.rejects(verify(both, coseMediaType), refused(/both under the signature and outside/));
  const twice = await jws((json) => {
    json.header.alg = "none";
  });
  await assert.rejects(verify(twice), refused(/both under the signature and outside/));
});

test("attack: the same header twice, for readers that take the first and readers that take the last", async () => {
  const doubled = await jwsSaying((said) => said.replace("{", '{"cty":"text/plain",'));
  await assert.rejects(verify(doubled), refused(/protected header cannot be read/));
});

test("attack: an expiry that a verifier may pass over, since it is not marked critical", async () => {
  const late = await jwsSaying((said) => said.replace("{", '{"io.cncf.notary.expiry":"2030-01-01T00:00:00Z",'));
  await assert.rejects(verify(late), refused(/does not mark io\.cncf\.notary\.expiry as critical/));
});

test("attack: a signing time of authorities in an ordinary signature", async () => {
  const name = "io.cncf.notary.authenticSigningTime";
  const backdated = await jwsSaying((said) => said.replace("{", `{"${name}":"2020-01-01T00:00:00Z",`));
  await assert.rejects(verify(backdated), refused(/only a signing authority can/));
});

test("attack: an envelope under the other one's media type", async () => {
  await assert.rejects(verify(await notation("jws"), coseMediaType), refused(/no tagged COSE_Sign1/));
  await assert.rejects(verify(await notation("cose"), jwsMediaType), refused(/cannot be read/));
});

test("attack: a huge envelope, and one that is nested deep", async () => {
  const huge = await jws((json) => {
    json.header.note = "x".repeat(4 * 1024 * 1024);
  });
  await assert.rejects(verify(huge), refused(/has more than/));
  const deep = Buffer.from(`{"payload":${"[".repeat(100_000)}${"]".repeat(100_000)}}`);
  await assert.rejects(verify(deep), refused(/lacks payload/));
  const nested = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  for (const name of ["cty", "alg", "crit", "io.cncf.notary.signingScheme"]) {
    const odd = await jwsSaying((said) =>
      said.replace(new RegExp(`"${name}":("[^"]*"|\\[[^\\]]*\\])`), `"${name}":${nested}`),
    );
    const error: Error = await verify(odd).then(
      () => assert.fail("it held"),
      (cause: Error) => cause,
    );
    assert.equal((error as Error & { code?: string }).code, "signature-invalid", name);
    assert.ok(error.message.length < 300, name);
  }
  const deepCose = Buffer.concat([Buffer.of(0xd2), Buffer.alloc(100_000, 0x81), Buffer.of(0x00)]);
  await assert.rejects(verify(deepCose, coseMediaType), refused(/cannot be read/));
});

const leaves: Readonly<Record<string, readonly [Partial<CertificateWish>, RegExp]>> = {
  "a certificate authority's own": [{ ca: true }, /certificate authority's, not a signer's/],
  "without the purpose of signing code": [{ purposes: ["1.3.6.1.5.5.7.3.4"] }, /may not sign code/],
  "for any purpose, which the specification excludes": [{ purposes: ["2.5.29.37.0"] }, /may not sign code/],
  "that may not make signatures": [{ keyUsage: 0x20 }, /may not make signatures/],
  "with name constraints, marked critical": [{ critical: "2.5.29.30" }, /name constraints/],
};
for (const [what, [wish, why]] of Object.entries(leaves)) {
  test(`attack: a signer's certificate ${what}`, async () => {
    const odd = makeCertificate({ name: "odd", issuer: middle, ...signing, ...wish });
    await assert.rejects(verify(await jwsSaying((said) => said, odd, [odd, middle, root])), refused(why));
  });
}

test("attack: a signer's certificate that does not say what it is for", async () => {
  const silent = makeCertificate({ name: "silent", issuer: middle });
  const envelope = await jwsSaying((said) => said, silent, [silent, middle, root]);
  await assert.rejects(verify(envelope), refused(/does not say that it may sign/));
});

test("attack: an authority that is held to some names, and says so without marking it", async () => {
  const held = makeCertificate({ name: "held", issuer: root, ca: true, keyUsage: 0x04, nameConstraints: true });
  const below = makeCertificate({ name: "below", issuer: held, ...signing });
  const envelope = await jwsSaying((said) => said, below, [below, held, root]);
  await assert.rejects(verify(envelope), refused(/name constraints/));
});

test("attack: a chain in the wrong order, so that another certificate stands for the signer's", async () => {
  const swapped = await jws((json) => {
    (json.header.x5c as string[]).reverse();
  });
  await assert.rejects(verify(swapped), refused(/does not verify/));
});

test("attack: a self-signed signer, and one below a root of the attacker's that came along", async () => {
  await assert.rejects(verify(await jwsSaying((said) => said, attacker, [attacker])), refused(/nobody trusted/));
  await assert.rejects(verify(await jwsSaying((said) => said, attacker, [attacker, root])), refused(/nobody trusted/));
  const evil = makeCertificate({ name: "root", ca: true, keyUsage: 0x04 });
  const below = makeCertificate({ name: "leaf", issuer: evil, ...signing });
  await assert.rejects(verify(await jwsSaying((said) => said, below, [below, evil, root])), refused(/nobody trusted/));
});

test("attack: a signer's certificate that issues another signer's", async () => {
  const below = makeCertificate({ name: "below", issuer: leaf, ...signing });
  const envelope = await jwsSaying((said) => said, below, [below, leaf, middle, root]);
  await assert.rejects(verify(envelope), refused(/nobody trusted has issued/));
});

// Sigstore bundles: of models, and of artifacts.

const files = [memoryFile("model.onnx", new TextEncoder().encode("weights"))];
const model = async (by: Maker = leaf) =>
  (await signModel({ files, name: "model", signer: statementSignerFromPem(pemOf(by)) })).bundle;
const artifact = async (by: Maker = leaf) => {
  const signer = statementSignerFromPem(pemOf(by));
  return keyBundle(await signForBundle(containerSignatureStatement(digest), signer), signer.identity.spki);
};

interface Bundle {
  verificationMaterial: Record<string, unknown>;
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string; keyid: string }[] };
}

function changed(bundle: Uint8Array, change: (json: Bundle) => void): Uint8Array {
  const json = JSON.parse(Buffer.from(bundle).toString()) as Bundle;
  change(json);
  return encodeJson(json as unknown as JsonObject);
}

/** Both kinds of bundle, changed in this way, are refused with these words. */
async function bothRefuse(change: (json: Bundle) => void, why: RegExp): Promise<void> {
  const trust = { publicKeyPem: publicPem(leaf) };
  const { outcome, checks } = await verifyModel({ bundle: changed(await model(), change), files, ...trust });
  assert.equal(outcome, "bad");
  assert.match(checks.find(({ result }) => result === "bad")!.message, why);
  await assert.rejects(verifyAttachment(changed(await artifact(), change), digest, trust), refused(why));
}

test("what these attacks begin with holds", async () => {
  const trust = { publicKeyPem: publicPem(leaf) };
  assert.equal((await verifyModel({ bundle: await model(), files, ...trust })).outcome, "good");
  assert.equal((await verifyAttachment(await artifact(), digest, trust)).predicateType.endsWith("/sign/v1"), true);
});

test("attack: signature stripping, in bundles", async () => {
  await bothRefuse(({ dsseEnvelope }) => void dsseEnvelope.signatures.splice(0), /one signature, not 0/);
  await bothRefuse(({ dsseEnvelope }) => void Object.assign(dsseEnvelope.signatures[0]!, { sig: "" }), /./);
});

test("attack: several signatures of which one is bad, before the good one or after it", async () => {
  const other = statementSignerFromPem(pemOf(attacker));
  const bad = Buffer.from(await other.sign(new Uint8Array(8))).toString("base64");
  for (const add of ["push", "unshift"] as const) {
    await bothRefuse(
      ({ dsseEnvelope }) => dsseEnvelope.signatures[add]({ sig: bad, keyid: "" }),
      /one signature, not 2/,
    );
  }
});

test("attack: payload type confusion", async () => {
  for (const payloadType of [
    "application/json",
    "application/vnd.in-toto+json ",
    "application/vnd.oci.image.manifest.v1+json",
  ]) {
    await bothRefuse(
      ({ dsseEnvelope }) => void Object.assign(dsseEnvelope, { payloadType }),
      /payloadType|envelope holds/,
    );
  }
});

test("attack: predicate confusion, a signature of the manifest for one of the files and the other way round", async () => {
  const trust = { publicKeyPem: publicPem(leaf) };
  const crossed = await verifyModel({ bundle: await artifact(), files, ...trust });
  assert.equal(crossed.outcome, "bad");
  await assert.rejects(verifyAttachment(await model(), digest, trust), refused(/not about sha256:a/));
});

test("attack: a bundle with both a key and a certificate, or a chain", async () => {
  const { verificationMaterial } = JSON.parse(
    Buffer.from(certificateBundle(parseModelBundle(await model()).envelope, [leaf.certificate])).toString(),
  ) as Bundle;
  await bothRefuse((json) => void Object.assign(json.verificationMaterial, verificationMaterial), /must have one of/);
  const certificate = { rawBytes: leaf.certificate.raw.toString("base64") };
  await bothRefuse((json) => void Object.assign(json.verificationMaterial, { certificate }), /must have one of/);
});

test("attack: a key hint that collides with the trusted key's", async () => {
  const honest = (JSON.parse(Buffer.from(await model()).toString()) as Bundle).verificationMaterial;
  const trust = { publicKeyPem: publicPem(leaf) };
  const posing = changed(await model(attacker), (json) => {
    json.verificationMaterial = honest;
  });
  const { checks } = await verifyModel({ bundle: posing, files, ...trust });
  assert.equal(checks.find(({ result }) => result === "bad")?.message, "it does not verify");
  const artifacts = changed(await artifact(attacker), (json) => {
    json.verificationMaterial = honest;
  });
  await assert.rejects(verifyAttachment(artifacts, digest, trust), refused(/does not verify/));
});

test("attack: a key that comes along in the bundle, under the trusted one's hint", async () => {
  const rawBytes = Buffer.from(publicPem(attacker)).toString("base64");
  const posing = changed(await artifact(attacker), (json) => {
    json.verificationMaterial = { publicKey: { rawBytes }, tlogEntries: [] };
  });
  await assert.rejects(verifyAttachment(posing, digest, { publicKeyPem: publicPem(leaf) }), refused(/another key/));
});

test("attack: a huge bundle, and one that is nested deep", async () => {
  const trust = { publicKeyPem: publicPem(leaf) };
  await assert.rejects(verifyAttachment(new Uint8Array(64 * 1024 * 1024 + 1), digest, trust), refused(/more than/));
  const deep = Buffer.from(`{"mediaType":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`);
  const error: Error = await verifyAttachment(deep, digest, trust).then(
    () => assert.fail("it held"),
    (cause: Error) => cause,
  );
  assert.match(error.message, /^.{0,300}$/);
});
