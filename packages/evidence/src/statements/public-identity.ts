import * as crypto from "#crypto";
import { fromBase64, toBase64, toHex } from "../bytes.ts";
import { parseSpki, type SpkiAlgorithm } from "../crypto/spki.ts";
import { sha256 } from "../digest.ts";
import { EvidenceError } from "../error.ts";

export type SignatureAlgorithm = SpkiAlgorithm;

/** A public key that signs statements. */
export interface PublicIdentity {
  /** SHA-256 of the key's SPKI DER, lowercase hex. */
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

/** @throws EvidenceError `key-invalid` for other algorithms, and for compressed points */
export function publicIdentity(spki: Uint8Array): PublicIdentity {
  return Object.freeze({ keyId: keyIdOf(spki), algorithm: parseSpki(spki).algorithm, spki });
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
      return crypto.verifyEd25519(parseSpki(key.spki).key, message, signature);
    case "ml-dsa-44":
      return crypto.verifyMlDsa44(parseSpki(key.spki).key, message, signature);
    case "p-256":
      return crypto.verifyEcdsa(key.spki, "sha256", message, signature);
    case "p-384":
      return crypto.verifyEcdsa(key.spki, "sha384", message, signature);
    case "p-521":
      return crypto.verifyEcdsa(key.spki, "sha512", message, signature);
  }
}
