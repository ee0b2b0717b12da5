import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { test } from "node:test";
import { encodeJson, parseDigest } from "@tally/evidence";
import { encode, Tagged } from "cborg";
import type { Descriptor } from "../../artifact/descriptor.ts";
import { codeSigning, makeCertificate } from "../certificate-maker.ts";
import { coseMediaType } from "./cose.ts";
import { verifyNotation } from "./verify.ts";

const subject: Descriptor = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: parseDigest(`sha256:${"a".repeat(64)}`),
  size: 500,
};
const at = new Date("2026-06-01T00:00:00Z");
const root = makeCertificate({ name: "root", ca: true, keyUsage: 0x04 });
const leaf = makeCertificate({ name: "leaf", issuer: root, keyUsage: 0x80, purposes: [codeSigning] });
const scheme = "io.cncf.notary.signingScheme";
const expiry = "io.cncf.notary.expiry";
const { mediaType, digest, size } = subject;
const payload = encodeJson({ targetArtifact: { mediaType, digest, size } });

/** An envelope as another signer writes it, with whatever stands in its protected header and as its payload afterwards. */
function signed(said: readonly (readonly [number | string, unknown])[] = [], shown: Uint8Array = payload): Uint8Array {
  const all = new Map<number | string, unknown>([
    ...([
      [1, -7],
      [2, [scheme]],
      [3, "application/vnd.cncf.notary.payload.v1+json"],
      [scheme, "notary.x509"],
    ] as const),
    ...said,
  ]);
  const header = encode(all);
  const message = encode(["Signature1", header, new Uint8Array(), payload]);
  const signature = Uint8Array.from(sign("sha256", message, { key: leaf.key, dsaEncoding: "ieee-p1363" }));
  const chain = [leaf, root].map(({ certificate }) => Uint8Array.from(certificate.raw));
  return Buffer.concat([Buffer.of(0xd2), encode([header, new Map([[33, chain]]), shown, signature])]);
}

function verify(envelope: Uint8Array) {
  const trustedCertificatesPem = root.certificate.toString();
  return verifyNotation(coseMediaType, envelope, subject, { trustedCertificatesPem, at });
}

test("a Notary Project signature in COSE holds by the root above its certificate", async () => {
  assert.equal((await verify(signed())).path.length, 2);
});

test("an attacker who swaps the payload of a COSE signature is caught", async () => {
  const other = encodeJson({ targetArtifact: { mediaType, digest, size }, more: 1 });
  await assert.rejects(verify(signed([], other)), /does not verify/);
});

for (const [what, said, why] of [
  ["with another algorithm than its key's", [[1, -37]], /not for its certificate's key/],
  ["with no algorithm that is known", [[1, 0]], /none that is allowed/],
  ["of another scheme", [[scheme, "notary.x509.other"]], /signing scheme/],
  ["of another content type", [[3, "text/plain"]], /it signs text\/plain/],
  ["that asks for what is not understood", [[2, [scheme, 99]]], /asks for 99/],
  [
    "past its own expiry",
    [
      [2, [scheme, expiry]],
      [expiry, new Tagged(1, 1_700_000_000)],
    ],
    /it expired at 2023/,
  ],
  ["whose expiry may be passed over", [[expiry, new Tagged(1, 1_900_000_000)]], /does not mark .*expiry as critical/],
  [
    "whose expiry is no time",
    [
      [2, [scheme, expiry]],
      [expiry, 1_900_000_000],
    ],
    /is no time/,
  ],
] as const) {
  test(`a COSE signature ${what} is refused`, async () => {
    await assert.rejects(verify(signed(said)), why);
  });
}

test("what is no COSE_Sign1 is refused, whatever it is", async () => {
  const whole = signed();
  for (const bytes of [
    new Uint8Array(),
    Buffer.of(0xd2),
    whole.subarray(1),
    whole.subarray(0, 50),
    Buffer.of(0xd2, 0x80),
  ]) {
    await assert.rejects(verify(bytes), { code: "signature-invalid" });
  }
});
