import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyChain } from "./certificate-chain.ts";
import {
  type CertificateWish,
  codeSigning,
  type Maker,
  makeCertificate,
  serverAuthentication,
} from "./certificate-maker.ts";

const now = new Date("2026-01-01");
const authority = { ca: true, keyUsage: 0x04 };
const signing = { keyUsage: 0x80, purposes: [codeSigning] };

const root = makeCertificate({ name: "root", ...authority });
const middle = makeCertificate({ name: "middle", issuer: root, ...authority });
const signer = makeCertificate({ name: "signer", issuer: middle, ...signing });

function check(chain: readonly Maker[], trusted: readonly Maker[] = [root], at: Date = now): string {
  const certificates = (list: readonly Maker[]) => list.map(({ certificate }) => certificate);
  const path = verifyChain(certificates(chain), certificates(trusted), at);
  return path.map(({ subject }) => subject.replace("CN=", "")).join(" < ");
}

/** A signer below the middle or below an issuer of its own. */
function signerOf(wish: Partial<CertificateWish>): Maker {
  return makeCertificate({ name: "signer", issuer: middle, ...signing, ...wish });
}

test("a chain leads from the signer to a trusted root, in whatever order the issuers are", () => {
  assert.equal(check([signer, middle]), "signer < middle < root");
  assert.equal(check([signer, root, middle]), "signer < middle < root");
  assert.equal(check([signer], [root, middle]), "signer < middle");
  assert.equal(check([signer], [signer]), "signer");
});

test("a signer may have its issuer's name", () => {
  const namesake = signerOf({ name: "middle" });
  assert.equal(check([namesake, middle]), "middle < middle < root");
});

test("a root that the bundle brings along is not trusted for that", () => {
  const evilRoot = makeCertificate({ name: "root", ...authority });
  const evilSigner = makeCertificate({ name: "signer", issuer: evilRoot, ...signing });
  assert.throws(() => check([evilSigner, evilRoot]), { code: "signature-invalid", message: /nobody trusted/ });
});

test("a certificate that only bears the trusted issuer's name is not issued by it", () => {
  const forged = makeCertificate({ name: "signer", issuer: { name: "root", key: signer.key }, ...signing });
  assert.throws(() => check([forged]), { message: /nobody trusted/ });
});

test("a signer's certificate cannot issue another signer", () => {
  const below = makeCertificate({ name: "below", issuer: signer, ...signing });
  assert.throws(() => check([below, signer, middle]), { code: "signature-invalid" });
  const vague = makeCertificate({ name: "vague", issuer: middle, purposes: [codeSigning] });
  assert.throws(() => check([signerOf({ issuer: vague }), vague, middle]), { message: /no certificate authority/ });
});

test("an issuer without the right to issue, or with a shorter path, is refused", () => {
  const mute = makeCertificate({ name: "mute", issuer: root, ca: true, keyUsage: 0x80 });
  assert.throws(() => check([signerOf({ issuer: mute }), mute]), { code: "signature-invalid" });
  const short = makeCertificate({ name: "short", issuer: root, ...authority, pathLength: 0 });
  assert.equal(check([signerOf({ issuer: short }), short]), "signer < short < root");
  const lower = makeCertificate({ name: "lower", issuer: short, ...authority });
  assert.throws(() => check([signerOf({ issuer: lower }), lower, short]), { message: /so long a chain/ });
});

test("every certificate has to be valid at the time asked for", () => {
  const past = signerOf({ until: "2025-01-01" });
  assert.throws(() => check([past, middle]), { message: /valid from/ });
  assert.equal(check([past, middle], [root], new Date("2024-06-01")), "signer < middle < root");
  const early = makeCertificate({ name: "early", issuer: root, ...authority, from: "2030-01-01" });
  assert.throws(() => check([signerOf({ issuer: early }), early]), { message: /valid from/ });
  const late = makeCertificate({ name: "late", ...authority, until: "2025-01-01" });
  assert.throws(() => check([signerOf({ issuer: late })], [late]), { message: /valid from/ });
});

test("a certificate for other uses cannot sign a model", () => {
  for (const [wish, why] of [
    [{ keyUsage: 0x08 }, /may not make signatures/],
    [{ purposes: [serverAuthentication] }, /may not sign code/],
    [{ critical: "1.2.3.4" }, /not understood: 1\.2\.3\.4/],
    // Name constraints restrict what is below an authority; not being applied here, they are refused.
    [{ critical: "2.5.29.30" }, /name constraints/],
  ] as const) {
    assert.throws(() => check([signerOf(wish), middle]), { code: "signature-invalid", message: why });
  }
  const silent = makeCertificate({ name: "silent", issuer: middle });
  assert.throws(() => check([silent, middle]), { message: /does not say that it may sign/ });
});
