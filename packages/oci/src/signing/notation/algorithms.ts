import { constants, type KeyObject, verify, type X509Certificate } from "node:crypto";
import { OciError } from "../../error.ts";
import { shown } from "../shown.ts";

/** A signature algorithm with the only keys that it goes with (notaryproject/specifications, signature-specification.md). */
export interface Algorithm {
  /** Its name in JOSE (RFC 7518). */
  readonly name: string;
  /** Its number in COSE (RFC 9053). */
  readonly cose: number;
  readonly hash: "sha256" | "sha384" | "sha512";
  /** As OpenSSL names it. Absent: RSASSA-PSS with a key of so many bits. */
  readonly curve?: string;
  readonly rsaBits?: number;
}

const algorithms: readonly Algorithm[] = [
  { name: "ES256", cose: -7, hash: "sha256", curve: "prime256v1" },
  { name: "ES384", cose: -35, hash: "sha384", curve: "secp384r1" },
  { name: "ES512", cose: -36, hash: "sha512", curve: "secp521r1" },
  { name: "PS256", cose: -37, hash: "sha256", rsaBits: 2048 },
  { name: "PS384", cose: -38, hash: "sha384", rsaBits: 3072 },
  { name: "PS512", cose: -39, hash: "sha512", rsaBits: 4096 },
];

/** By its name in JOSE. Throws `signature-invalid` for any other, `none` and `HS256` among them. */
export function joseAlgorithm(alg: unknown): Algorithm {
  return found(alg, ({ name }) => name === alg);
}

/** By its number in COSE. Throws `signature-invalid` for any other. */
export function coseAlgorithm(alg: unknown): Algorithm {
  return found(alg, ({ cose }) => cose === alg);
}

function found(alg: unknown, is: (one: Algorithm) => boolean): Algorithm {
  const known = algorithms.find(is);
  if (known === undefined) throw bad(`its algorithm ${shown(alg)} is none that is allowed`);
  return known;
}

/** The one algorithm that goes with a key, or undefined. */
export function algorithmFor({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Algorithm | undefined {
  const { namedCurve, modulusLength } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === "ec") return algorithms.find(({ curve }) => curve === namedCurve);
  if (asymmetricKeyType === "rsa") return algorithms.find(({ rsaBits }) => rsaBits === modulusLength);
  return undefined;
}

/** How Node signs and verifies by an algorithm. */
export function withParameters({ curve }: Algorithm, key: KeyObject) {
  if (curve !== undefined) return { key, dsaEncoding: "ieee-p1363" as const };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}

/** Throws `signature-invalid` unless this is the certificate's key's signature, by the algorithm that goes with the key. */
export function requireSignature(
  algorithm: Algorithm,
  { publicKey }: X509Certificate,
  message: Uint8Array,
  signature: Uint8Array,
): void {
  const { name, hash } = algorithm;
  if (algorithmFor(publicKey) !== algorithm) throw bad(`its algorithm ${name} is not for its certificate's key`);
  if (!verify(hash, message, withParameters(algorithm, publicKey), signature)) throw bad("it does not verify");
}

function bad(why: string): OciError {
  return new OciError("signature-invalid", why);
}
