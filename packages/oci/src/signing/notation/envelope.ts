import { constants, verify, type X509Certificate } from "node:crypto";
import type { JsonObject } from "@tally/evidence";
import { OciError } from "../../error.ts";

// What Notary Project signatures have in common, in JWS and in COSE (notaryproject/specifications, signature-specification.md).

export const notationPayloadType = "application/vnd.cncf.notary.payload.v1+json";
export const scheme = "io.cncf.notary.signingScheme";
export const signingTime = "io.cncf.notary.signingTime";
export const expiry = "io.cncf.notary.expiry";

/** Headers that a verifier may be told to understand, and that are understood here. */
const understood: readonly unknown[] = [scheme, expiry];

/** An envelope whose signature is its first certificate's. Whether that one is to be believed is not judged yet. */
export interface NotationEnvelope {
  readonly payload: JsonObject;
  readonly chain: readonly X509Certificate[];
  readonly expires?: Date;
}

/** Throws `signature-invalid` for what is signed in another way, or asks for more than is looked at here. */
export function requireUnderstood(contentType: unknown, signingScheme: unknown, critical: unknown): void {
  if (contentType !== notationPayloadType) throw bad(`it signs ${String(contentType)}, not ${notationPayloadType}`);
  if (signingScheme !== "notary.x509") throw bad(`its signing scheme is ${String(signingScheme)}, not notary.x509`);
  if (!Array.isArray(critical) || !critical.includes(scheme)) {
    throw bad("it does not mark its signing scheme as critical");
  }
  const strange = critical.find((name) => !understood.includes(name));
  if (strange !== undefined) throw bad(`it asks for ${String(strange)}, which is not understood here`);
}

/** A signature algorithm with the only keys that it goes with. */
export interface Algorithm {
  readonly name: string;
  /** Its number in COSE (RFC 9053). */
  readonly cose: number;
  readonly hash: string;
  /** As OpenSSL names it; RSA has none. */
  readonly curve?: string;
}

/** Those that the specification allows, by their names in JOSE (RFC 7518). */
const algorithms: readonly Algorithm[] = [
  { name: "ES256", cose: -7, hash: "sha256", curve: "prime256v1" },
  { name: "ES384", cose: -35, hash: "sha384", curve: "secp384r1" },
  { name: "ES512", cose: -36, hash: "sha512", curve: "secp521r1" },
  { name: "PS256", cose: -37, hash: "sha256" },
  { name: "PS384", cose: -38, hash: "sha384" },
  { name: "PS512", cose: -39, hash: "sha512" },
];

/** By its name or its number. Throws `signature-invalid` for any other. */
export function algorithmNamed(alg: unknown): Algorithm {
  const known = algorithms.find(({ name, cose }) => alg === name || alg === cose);
  if (known === undefined) throw bad(`its algorithm ${String(alg)} is none that is allowed`);
  return known;
}

/** Throws `signature-invalid` unless this is the certificate's key's signature, by an algorithm that goes with the key. */
export function requireSignature(
  { name, hash, curve }: Algorithm,
  { publicKey }: X509Certificate,
  message: Uint8Array,
  signature: Uint8Array,
): void {
  const { asymmetricKeyType, asymmetricKeyDetails } = publicKey;
  const isCurve = asymmetricKeyType === "ec" && asymmetricKeyDetails?.namedCurve === curve;
  const isRsa = asymmetricKeyType === "rsa" && (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048;
  if (curve === undefined ? !isRsa : !isCurve) throw bad(`its algorithm ${name} is not for its certificate's key`);
  const key =
    curve === undefined
      ? { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : { key: publicKey, dsaEncoding: "ieee-p1363" as const };
  if (!verify(hash, message, key, signature)) throw bad("it does not verify");
}

function bad(why: string): OciError {
  return new OciError("signature-invalid", why);
}
