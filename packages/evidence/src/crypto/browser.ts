// The same names as node.ts, in JavaScript: a browser has no synchronous signatures, and ML-DSA in few. Verifying works
// alike; making and using private keys is Node's alone.
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { sha256 as sha256Of, sha384, sha512 } from "@noble/hashes/sha2.js";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { EvidenceError } from "../error.ts";
import {
  type EcdsaHash,
  type KeyAlgorithm,
  mlDsa44PublicKeyLength,
  mlDsa44SignatureLength,
  type PublicKeyOfPem,
  type RunningSha256,
} from "./algorithms.ts";
import { KeyCache } from "./key-cache.ts";
import { parseSpki, spkiOfPem } from "./spki.ts";

/** SHA-256 over the parts, one after another: 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return sha256Of(parts[0]!);
  const running = sha256Of.create();
  for (const part of parts) running.update(part);
  return running.digest();
}

/** SHA-256 as 32 characters, one a byte. */
export function sha256Text(bytes: Uint8Array): string {
  return String.fromCharCode(...sha256Of(bytes));
}

/** The same over bytes that come one after another. */
export function beginSha256(): RunningSha256 {
  const running = sha256Of.create();
  return {
    update: (bytes) => {
      running.update(bytes);
    },
    digest: () => running.digest(),
  };
}

/** That many bytes from the browser's random number generator. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  // getRandomValues gives at most 65,536 bytes a call.
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

/** Whether this is an Ed25519 signature (RFC 8032) over the message by the 32-byte public key. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  // RFC 8032's own rules: ZIP 215 would take encodings that OpenSSL refuses.
  return orFalse(() => ed25519.verify(signature, message, publicKey, { zip215: false }));
}

/** Whether this is an ML-DSA-44 signature (FIPS 204, empty context) over the message by the 1,312-byte public key. */
export function verifyMlDsa44(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== mlDsa44PublicKeyLength || signature.length !== mlDsa44SignatureLength) return false;
  return orFalse(() => ml_dsa44.verify(signature, message, publicKey));
}

/** Whether this is a DER-encoded ECDSA signature over the message's hash by the SPKI DER public key (P-256, P-384, P-521). */
export function verifyEcdsa(
  spki: Uint8Array,
  algorithm: EcdsaHash,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { curve, point } = points.get(spki, () => readPoint(spki));
  const hashed = hashes[algorithm](message);
  // Hardware and OpenSSL do not restrict s to the lower half.
  return orFalse(() => curve.verify(signature, hashed, point, { prehash: false, lowS: false, format: "der" }));
}

/** Private keys are made where they are used. @throws EvidenceError `not-supported` */
export function generatePrivateKeyPem(_algorithm: KeyAlgorithm): string {
  throw notInBrowser("make a private key");
}

/**
 * The public key of a PEM `PUBLIC KEY`. `raw` is 32 bytes for Ed25519, 1,312 for ML-DSA-44, and the SPKI DER for the
 * curves; `spki` is the SPKI DER of any.
 *
 * @throws EvidenceError `key-invalid` for text that is no public key, and for other algorithms
 */
export function publicKeyOfPem(text: string): PublicKeyOfPem {
  const spki = spkiOfPem(text);
  const { algorithm, key } = parseSpki(spki);
  if (algorithm === "p-521") throw new EvidenceError("key-invalid", "a key on P-521 is not used here");
  if (algorithm === "p-256" || algorithm === "p-384") {
    readPoint(spki);
    return { algorithm, raw: spki, spki };
  }
  return { algorithm, raw: key, spki };
}

/** Private keys stay out of browsers. @throws EvidenceError `not-supported` */
export async function signWithPem(_privatePem: string, _message: Uint8Array): Promise<Uint8Array> {
  throw notInBrowser("sign");
}

const hashes = { sha256: sha256Of, sha384, sha512 };
const curves = { "p-256": p256, "p-384": p384, "p-521": p521 };
// Checking that a point is on its curve costs as much as a good part of a verification.
const points = new KeyCache<ReturnType<typeof readPoint>>(256);

function readPoint(spki: Uint8Array): { curve: (typeof curves)[keyof typeof curves]; point: Uint8Array } {
  const { algorithm, key } = parseSpki(spki);
  if (algorithm === "ed25519" || algorithm === "ml-dsa-44") {
    throw new EvidenceError("key-invalid", "the key is not on P-256, P-384 or P-521");
  }
  try {
    curves[algorithm].Point.fromBytes(key).assertValidity();
  } catch (cause) {
    throw new EvidenceError("key-invalid", "the ECDSA key cannot be read", { cause });
  }
  return { curve: curves[algorithm], point: key.slice() };
}

/** The library throws for some malformed signatures and returns false for others. Both do not verify. */
function orFalse(verify: () => boolean): boolean {
  try {
    return verify();
  } catch {
    return false;
  }
}

function notInBrowser(what: string): EvidenceError {
  return new EvidenceError("not-supported", `a browser cannot ${what} here`, { hint: "use the command line" });
}
