// What a trust policy of the Notary Project asks for beside a root: timestamps, signing authorities, identities, revocation lists.

import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { type TestContext, test } from "node:test";
import { encodeJson, type JsonObject, parseDigest, statementSignerFromPem } from "@tally/evidence";
import type { Descriptor } from "../../artifact/descriptor.ts";
import { makeRevocationList } from "../../testing/revocation-list.ts";
import { type StampWish, serveTimestamps, stampBytes } from "../../testing/timestamp-authority.ts";
import { codeSigning, type Maker, makeCertificate, timeStamping } from "../certificate-maker.ts";
import { NotMade } from "../not-made.ts";
import { readRevocationLists } from "../revocation.ts";
import { type NotationFormat, signNotation } from "./sign.ts";
import { notationSigner } from "./signer.ts";
import { type NotationTrust, type VerifiedNotation, verifyNotation } from "./verify.ts";

const subject: Descriptor = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: parseDigest(`sha256:${"a".repeat(64)}`),
  size: 500,
};
const now = new Date("2026-06-01T00:00:00Z");
const then = new Date("2025-03-01T00:00:00Z");
const authority = { ca: true, keyUsage: 0x06 };
const root = makeCertificate({ name: "root", ...authority });
/** Its certificate held in 2025 alone. */
const old = makeCertificate({
  name: "C=SE, ST=Test, O=Example, CN=old",
  issuer: root,
  keyUsage: 0x80,
  purposes: [codeSigning],
  from: "2025-01-01",
  until: "2026-01-01",
});
const current = makeCertificate({
  name: "C=SE, ST=Test, O=Example, CN=current",
  issuer: root,
  keyUsage: 0x80,
  purposes: [codeSigning],
});
const clockRoot = makeCertificate({ name: "clock root", ...authority });
const stamper = { issuer: clockRoot, keyUsage: 0x80, purposes: [timeStamping], purposesAreCritical: true };
const clock = makeCertificate({ name: "clock", ...stamper });

const pem = (...makers: readonly Maker[]) => makers.map(({ certificate }) => certificate.toString()).join("");
const stamps = { timestampAuthoritiesPem: pem(clockRoot) };
const refused = { code: "signature-invalid" } as const;

interface Signed {
  readonly mediaType: string;
  readonly envelope: Uint8Array;
}

async function signed(by: Maker, format: NotationFormat = "jws", timestamp?: { url: string }): Promise<Signed> {
  const signer = notationSigner(statementSignerFromPem(by.key.export({ format: "pem", type: "pkcs8" }) as string));
  return signNotation(subject, {
    ...{ signer, format, at: then, certificateChainPem: pem(by, root) },
    ...(timestamp && { timestamp: { ...timestamp, trustedCertificatesPem: pem(clockRoot) } }),
  });
}

/** An envelope by whoever it is, with a token over its signature that may be anything. */
async function stampedWith(wish: Partial<StampWish>, by: Maker = old): Promise<Signed> {
  const { mediaType, envelope } = await signed(by);
  const json = JSON.parse(Buffer.from(envelope).toString()) as { signature: string; header: Record<string, unknown> };
  const token = await stampBytes(Buffer.from(json.signature, "base64url"), { authority: clock, at: then, ...wish });
  json.header["io.cncf.notary.timestampSignature"] = Buffer.from(token).toString("base64");
  return { mediaType, envelope: encodeJson(json as unknown as JsonObject) };
}

function verify({ mediaType, envelope }: Signed, trust: NotationTrust = {}) {
  return verifyNotation(mediaType, envelope, subject, { trustedCertificatesPem: pem(root), at: now, ...trust });
}

function authorityAt(t: TestContext, wish: Partial<StampWish> = {}): Promise<string> {
  return serveTimestamps(t, () => ({ authority: clock, at: then, ...wish }));
}

for (const format of ["jws", "cose"] as const) {
  test(`a signature in ${format} by a certificate that has expired since holds by its timestamp, and only by it`, async (t) => {
    const stamped = await signed(old, format, { url: await authorityAt(t) });
    const { timestamp, checks } = await verify(stamped, stamps);
    assert.equal(timestamp?.time.toISOString(), then.toISOString());
    assert.match(checks[0]!.message, /^stamped 2025-03-01T00:00:00.000Z by the certificate of CN=clock$/);
    await assert.rejects(verify(stamped), /is valid from/);
  });
}

test("where timestamps are asked for, a signature that somebody stripped of its own is refused", async () => {
  await assert.rejects(verify(await signed(current), stamps), /no timestamp/);
});

test("a timestamp of an RSA authority holds as well", async () => {
  const rsa = makeCertificate({ name: "rsa clock", ...stamper, rsaBits: 2048 });
  assert.equal((await verify(await stampedWith({ authority: rsa }), stamps)).checks[0]!.result, "good");
});

test("signing refuses a timestamp of an authority that is not trusted, and says so of one that does not answer", async (t) => {
  const stranger = makeCertificate({ name: "stranger", ...authority });
  const theirs = makeCertificate({ name: "their clock", ...stamper, issuer: stranger });
  const url = await authorityAt(t, { authority: theirs });
  await assert.rejects(signed(old, "jws", { url }), /nobody trusted has issued/);
  await assert.rejects(signed(old, "jws", { url: "http://127.0.0.1:1/" }), { code: "unreachable" });
});

const stranger = makeCertificate({ name: "clock root", ...authority });
const twin = makeCertificate({ name: "clock", ...stamper });
const badStamps: Readonly<Record<string, readonly [Partial<StampWish>, RegExp]>> = {
  "of the attacker's own authority": [
    { authority: makeCertificate({ name: "clock", ...stamper, issuer: stranger }) },
    /nobody trusted has issued/,
  ],
  "by the signer's own certificate, which leads to the root of signers": [
    { authority: current },
    /time stamping alone/,
  ],
  "by a certificate that may do other things too": [
    { authority: makeCertificate({ name: "c", ...stamper, purposes: [timeStamping, codeSigning] }) },
    /time stamping alone/,
  ],
  "by a certificate whose purpose is not marked critical": [
    { authority: makeCertificate({ name: "c", ...stamper, purposesAreCritical: false }) },
    /time stamping alone/,
  ],
  "by an authority for certificates": [
    { authority: makeCertificate({ name: "c", ...stamper, ca: true }) },
    /is a certificate authority's/,
  ],
  "from before the certificate was valid": [{ at: new Date("2024-12-31T00:00:00Z") }, /is valid from/],
  "from after the certificate had expired": [{ at: new Date("2026-02-01T00:00:00Z") }, /is valid from/],
  "so coarse that it may be from before": [
    { at: new Date("2025-01-01T00:00:10Z"), accuracySeconds: 60 },
    /is valid from/,
  ],
  "by an authority that was not valid then": [
    { authority: makeCertificate({ name: "c", ...stamper, from: "2025-06-01" }) },
    /is valid from/,
  ],
  "that names another certificate": [{ named: twin }, /names another certificate/],
  "that is signed as something else": [{ contentType: "1.2.840.113549.1.7.1" }, /holds no timestamp/],
  "without its certificate": [{ certificates: [] }, /does not verify/],
};
for (const [what, [wish, why]] of Object.entries(badStamps)) {
  test(`a timestamp ${what} proves nothing`, async () => {
    await assert.rejects(verify(await stampedWith(wish), stamps), { ...refused, message: why });
  });
}

test("a timestamp that an attacker moves from another signature is refused", async () => {
  const [one, two] = await Promise.all([stampedWith({}), stampedWith({})]);
  const [honest, other] = [one, two].map(({ envelope }) => JSON.parse(Buffer.from(envelope).toString()));
  honest.header = other.header;
  assert.notEqual(honest.signature, other.signature);
  await assert.rejects(verify({ ...one, envelope: encodeJson(honest) }, stamps), /timestamp does not verify/);
});

test("a timestamp with any byte changed is refused, or proves the very same time", async () => {
  const { mediaType, envelope } = await stampedWith({});
  const json = JSON.parse(Buffer.from(envelope).toString());
  const name = "io.cncf.notary.timestampSignature";
  const token = Buffer.from(json.header[name], "base64");
  const { timestamp: honest } = await verify({ mediaType, envelope }, stamps);
  let refusals = 0;
  for (let at = 0; at < token.length; at += 1) {
    const changed = Buffer.from(token);
    changed[at]! ^= 0x20;
    json.header[name] = changed.toString("base64");
    const outcome = await verify({ mediaType, envelope: encodeJson(json) }, stamps).catch((error: unknown) => error);
    // The list of digest algorithms, for one, is not signed, and nothing follows from it.
    if (outcome instanceof Error) assert.equal((outcome as Error & { code?: string }).code, "signature-invalid");
    else assert.deepEqual((outcome as VerifiedNotation).timestamp, honest);
    refusals += outcome instanceof Error ? 1 : 0;
  }
  assert.ok(refusals > token.length * 0.9, `${refusals} of ${token.length}`);
});

/** The envelope as a signing authority writes it, or somebody who would like to be one. */
async function byAuthority(by: Maker, time: unknown = "2025-03-01T00:00:00Z", crit = true): Promise<Signed> {
  const { mediaType, envelope } = await signed(by);
  const json = JSON.parse(Buffer.from(envelope).toString());
  const names = ["io.cncf.notary.signingScheme", "io.cncf.notary.authenticSigningTime"] as const;
  const said = JSON.parse(Buffer.from(json.protected, "base64url").toString());
  delete said["io.cncf.notary.signingTime"];
  Object.assign(said, { crit: crit ? names : names.slice(0, 1), [names[0]]: "notary.x509.signingAuthority" });
  if (time !== null) said[names[1]] = time;
  json.protected = Buffer.from(JSON.stringify(said)).toString("base64url");
  const message = Buffer.from(`${json.protected}.${json.payload}`);
  json.signature = sign("sha256", message, { key: by.key, dsaEncoding: "ieee-p1363" }).toString("base64url");
  return { mediaType, envelope: encodeJson(json) };
}

test("a signing authority's signature holds by its own time, below a root that is trusted for that", async () => {
  const report = await verify(await byAuthority(old), { signingAuthoritiesPem: pem(root) });
  assert.equal(report.checks[0]!.message, "its authority says 2025-03-01T00:00:00.000Z");
});

test("a signer who claims to be a signing authority, to backdate, is not believed by the root of signers", async () => {
  await assert.rejects(verify(await byAuthority(old)), NotMade);
  const other = makeCertificate({ name: "root", ...authority });
  await assert.rejects(verify(await byAuthority(old), { signingAuthoritiesPem: pem(other) }), /nobody trusted/);
});

test("a signing authority that does not say when it signed, or not bindingly, is refused", async () => {
  const trust = { signingAuthoritiesPem: pem(root) };
  await assert.rejects(verify(await byAuthority(old, null), trust), /is no time/);
  await assert.rejects(verify(await byAuthority(old, "yesterday"), trust), /is no time/);
  await assert.rejects(verify(await byAuthority(old, "2025-03-01T00:00:00Z", false), trust), /as critical/);
  await assert.rejects(verify(await byAuthority(old, "2024-03-01T00:00:00Z"), trust), /is valid from/);
});

test("a signer counts by subject: every attribute that is named has to be there, and more may be", async () => {
  const envelope = await signed(current);
  const asked = (...trustedIdentities: readonly string[]) => verify(envelope, { trustedIdentities });
  for (const name of ["C=SE, ST=Test, O=Example", "CN=current,O=Example,S=Test,C=SE", "c=SE,st=Test,o=Example"]) {
    assert.equal(
      (await asked("x509.subject: C=FI, ST=Test, O=Example", `x509.subject: ${name}`)).checks[1]!.result,
      "good",
    );
  }
  assert.equal((await asked("*")).checks[1]!.result, "not made");
  for (const name of ["C=SE, ST=Test, O=Example, OU=Lab", "C=SE, ST=Test, O=example", "C=SE, ST=Test, O=Examp"]) {
    await assert.rejects(asked(`x509.subject: ${name}`), /none of the trusted identities/);
  }
});

test("an identity that cannot be understood is refused, not passed over", async () => {
  const envelope = await signed(current);
  for (const [name, why] of [
    ["x509.subject: C=SE, O=Example", /lacks ST/],
    ["x509.subject: C=SE, ST=Test, O=Example, O=Other", /twice/],
    ["x509.subject: C=SE, ST=Test, O=Example+CN=current", /not read here/],
    ["x509.subject: C=SE, ST=Test, O=#0c00", /not read here/],
    ["x509.subject: C=SE, ST=Test, Example", /is no attribute/],
    ["email: a@example.org", /no identity that is known/],
  ] as const) {
    await assert.rejects(verify(envelope, { trustedIdentities: [name] }), { ...refused, message: why });
  }
});

test("a subject that an attacker writes into one attribute is not several", async () => {
  const sly = makeCertificate({ name: "CN=x\nC=SE\nST=Test\nO=Example", issuer: root, keyUsage: 0x80 });
  const named = { trustedIdentities: ["x509.subject: C=SE, ST=Test, O=Example"] };
  await assert.rejects(verify(await signed(sly), named), /none of the trusted identities/);
});

const lists = (...made: readonly Uint8Array[]) =>
  Promise.all(made.map(readRevocationLists)).then((read) => ({ revocationLists: read.flat() }));
const week = { from: new Date("2026-05-28T00:00:00Z"), until: new Date("2026-06-04T00:00:00Z") };

test("a certificate on no current list of its issuer's is good, and without lists nobody claims so", async () => {
  const envelope = await signed(current);
  assert.equal((await verify(envelope)).checks[2]!.result, "not made");
  const { checks } = await verify(
    envelope,
    await lists(await makeRevocationList({ issuer: root, ...week, revoked: [old] })),
  );
  assert.deepEqual([checks[2]!.name, checks[2]!.result], ["revocation", "good"]);
});

test("a revoked certificate signs nothing, also where an older list, a stale one or another issuer's says otherwise", async () => {
  const revoked = await makeRevocationList({ issuer: root, ...week, revoked: [current] });
  const clean = await makeRevocationList({ issuer: root, ...week });
  const envelope = await signed(current);
  await assert.rejects(verify(envelope, await lists(revoked)), /was revoked at/);
  await assert.rejects(verify(envelope, await lists(clean, revoked)), /was revoked at/);
  const stale = await makeRevocationList({ issuer: root, from: then, until: then, revoked: [current] });
  await assert.rejects(verify(envelope, await lists(clean, stale)), /was revoked at/);
});

test("a list that is stale, partial, of another issuer or forged says nothing", async () => {
  const envelope = await signed(current);
  const namesake = makeCertificate({ name: "root", ...authority });
  const mute = makeCertificate({ name: "mute", ca: true, keyUsage: 0x04 });
  for (const wish of [
    { issuer: root, from: then, until: then },
    { issuer: root, ...week, from: new Date("2026-06-02T00:00:00Z") },
    { issuer: root, ...week, partial: true },
    { issuer: clockRoot, ...week },
    { issuer: namesake, ...week },
  ]) {
    await assert.rejects(verify(envelope, await lists(await makeRevocationList(wish))), NotMade);
  }
  const below = makeCertificate({ name: "below", issuer: mute, keyUsage: 0x80 });
  const trust = { trustedCertificatesPem: pem(mute) };
  const { mediaType } = envelope;
  const own = await signNotation(subject, {
    signer: notationSigner(statementSignerFromPem(below.key.export({ format: "pem", type: "pkcs8" }) as string)),
    ...{ certificateChainPem: pem(below, mute), format: "jws", at: then },
  });
  const list = await lists(await makeRevocationList({ issuer: mute, ...week }));
  await assert.rejects(verify({ ...own, mediaType }, { ...trust, ...list }), NotMade);
});

test("the timestamp authority's certificate is looked up too", async () => {
  const stamped = await stampedWith({});
  const signers = await makeRevocationList({ issuer: root, ...week });
  await assert.rejects(verify(stamped, { ...stamps, ...(await lists(signers)) }), NotMade);
  const clocks = await makeRevocationList({ issuer: clockRoot, ...week, revoked: [clock] });
  await assert.rejects(verify(stamped, { ...stamps, ...(await lists(signers, clocks)) }), /CN=clock was revoked/);
});

test("a certificate that became invalid after the proven time still counts for what was signed before", async () => {
  const stamped = await stampedWith({});
  const clocks = await makeRevocationList({ issuer: clockRoot, ...week });
  const since = async (invalid: string) =>
    lists(clocks, await makeRevocationList({ issuer: root, ...week, revoked: [old], invalidSince: new Date(invalid) }));
  const good = await verify(stamped, { ...stamps, ...(await since("2025-03-02T00:00:00Z")) });
  assert.equal(good.checks[2]!.result, "good");
  await assert.rejects(verify(stamped, { ...stamps, ...(await since("2025-02-28T00:00:00Z")) }), /was revoked/);
});

test("what is no revocation list is refused", async () => {
  for (const text of ["", "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n", "0\u0003\u0001\u0001\u0001"]) {
    await assert.rejects(readRevocationLists(Buffer.from(text, "latin1")), refused);
  }
});
