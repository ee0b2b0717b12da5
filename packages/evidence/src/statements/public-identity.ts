import * as crypto from "#crypto";
import { fromBase64, toBase64, toHex } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import { EvidenceError } from "../error.ts";

export type SignatureAlgorithm = "p-256" | "p-384" | "p-521" | "ed25519" | "ml-dsa-44";

/** A public key that signs statements. */
export interface PublicIdentity {
  /** SHA-256 of the key's SPKI DER, lowercase hex. */
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

// A SubjectPublicKeyInfo of one algorithm has one length and one beginning (RFC 5480, 8410, 9881), so bytes decide.
const forms: readonly { algorithm: SignatureAlgorithm; prefix: string; length: number }[] = [
  { algorithm: "ed25519", prefix: "302a300506032b6570032100", length: 44 },
  { algorithm: "p-256", prefix: "3059301306072a8648ce3d020106082a8648ce3d03010703420004", length: 91 },
  { algorithm: "p-384", prefix: "3076301006072a8648ce3d020106052b8104002203620004", length: 120 },
  { algorithm: "p-521", prefix: "30819b301006072a8648ce3d020106052b810400230381860004", length: 158 },
  { algorithm: "ml-dsa-44", prefix: "30820532300b06096086480165030403110382052100", length: 1334 },
];

/** @throws EvidenceError `key-invalid` for other algorithms, and for compressed points */
export function publicIdentity(spki: Uint8Array): PublicIdentity {
  const start = toHex(spki.subarray(0, 27));
  const form = forms.find(({ prefix, length }) => spki.length === length && start.startsWith(prefix));
  if (form === undefined) {
    throw new EvidenceError("key-invalid", "the public key is of a kind that signs no statements here", {
      hint: "use P-256, P-384, P-521, Ed25519 or ML-DSA-44, curve points uncompressed",
    });
  }
  return Object.freeze({ keyId: keyIdOf(spki), algorithm: form.algorithm, spki });
}

/** The key id of statements: SHA-256 of the SPKI DER, lowercase hex. */
export function keyIdOf(spki: Uint8Array): string {
  return toHex(sha256(spki));
}

const pemBlock = /-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END PUBLIC KEY-----/;

/**
 * Reads `-----BEGIN PUBLIC KEY-----` (RFC 7468); text around the one block is ignored, since tools describe keys there.
 *
 * @throws EvidenceError `key-invalid`
 */
export function publicIdentityFromPem(pem: string): PublicIdentity {
  const body = pem.split("-----BEGIN ").length === 2 ? pemBlock.exec(pem)?.[1] : undefined;
  if (body === undefined) {
    throw new EvidenceError("key-invalid", "expected one PEM block that begins with -----BEGIN PUBLIC KEY-----");
  }
  let der: Uint8Array;
  try {
    der = fromBase64(body.replace(/[\r\n]/g, ""));
  } catch (cause) {
    throw new EvidenceError("key-invalid", "the PEM block does not hold base64", { cause });
  }
  return publicIdentity(der);
}

/** The key as PEM, 64 columns, with a newline at the end. */
export function publicKeyPem(spki: Uint8Array): string {
  const lines = toBase64(spki).match(/.{1,64}/g) ?? [];
  return `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
}

/** Whether `signature` is this key's over `message`. ECDSA signatures are DER, hashed as long as the curve. */
export function verifyWithIdentity(key: PublicIdentity, message: Uint8Array, signature: Uint8Array): boolean {
  switch (key.algorithm) {
    case "ed25519":
      return crypto.verifyEd25519(key.spki.subarray(-32), message, signature);
    case "ml-dsa-44":
      return crypto.verifyMlDsa44(key.spki.subarray(-1312), message, signature);
    case "p-256":
      return crypto.verifyEcdsa(key.spki, "sha256", message, signature);
    case "p-384":
      return crypto.verifyEcdsa(key.spki, "sha384", message, signature);
    case "p-521":
      return crypto.verifyEcdsa(key.spki, "sha512", message, signature);
  }
}
