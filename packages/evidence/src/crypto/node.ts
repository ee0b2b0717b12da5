// Signatures and hashes by Node's own OpenSSL. The same names exist in browser.ts; "#crypto" in package.json picks one.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  sign as cryptoSign,
  verify as cryptoVerify,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomFillSync,
} from "node:crypto";
import { EvidenceError } from "../error.ts";
import {
  type EcdsaHash,
  type KeyAlgorithm,
  mlDsa44PublicKeyLength,
  type PublicKeyOfPem,
  type RunningSha256,
} from "./algorithms.ts";
import { KeyCache } from "./key-cache.ts";
import { parseSpki, spkiOfPem } from "./spki.ts";

/** SHA-256 over the parts, one after another: 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return sha256OfOne(parts[0]!);
  const running = createHash("sha256");
  for (const part of parts) running.update(part);
  return plain(running.digest());
}

function sha256OfOne(bytes: Uint8Array): Uint8Array {
  const text = sha256Text(bytes);
  const digest = new Uint8Array(32);
  for (let i = 0; i < 32; i++) digest[i] = text.charCodeAt(i);
  return digest;
}

/**
 * SHA-256 as 32 characters, one a byte. Merkle trees hash little, often: over 65 bytes this takes 0.3 µs, a Buffer with its
 * own memory 0.9 µs, a Hash object 1.2 µs (measured).
 */
export function sha256Text(bytes: Uint8Array): string {
  return hash("sha256", bytes, "latin1");
}

/** The same over bytes that come one after another. */
export function beginSha256(): RunningSha256 {
  const running = createHash("sha256");
  return {
    update: (bytes) => {
      running.update(bytes);
    },
    digest: () => plain(running.digest()),
  };
}

/** That many bytes from the system's random number generator. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return randomFillSync(new Uint8Array(length));
}

/** Whether this is an Ed25519 signature (RFC 8032) over the message by the 32-byte public key. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  return verifyWith(rawKey("ed25519", publicKey), null, message, signature);
}

/** Whether this is an ML-DSA-44 signature (FIPS 204, empty context) over the message by the 1,312-byte public key. */
export function verifyMlDsa44(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== mlDsa44PublicKeyLength) return false;
  return verifyWith(rawKey("ml-dsa-44", publicKey), null, message, signature);
}

/** Whether this is a DER-encoded ECDSA signature over the message's hash by the SPKI DER public key (P-256, P-384, P-521). */
export function verifyEcdsa(
  spki: Uint8Array,
  algorithm: EcdsaHash,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verifyWith(spkiKey(spki), algorithm, message, signature);
}

/** A new private key as PKCS #8 PEM. */
export function generatePrivateKeyPem(algorithm: KeyAlgorithm): string {
  switch (algorithm) {
    case "ed25519":
      return pem(generateKeyPairSync("ed25519").privateKey);
    case "ml-dsa-44":
      return pem(generateKeyPairSync("ml-dsa-44").privateKey);
    case "p-256":
      return pem(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
    case "p-384":
      return pem(generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey);
  }
}

/**
 * The public half of a PEM key, `PUBLIC KEY` or a private one. `raw` is 32 bytes for Ed25519, 1,312 for ML-DSA-44, and
 * the SPKI DER for the curves; `spki` is the SPKI DER of any.
 *
 * @throws EvidenceError `key-invalid` for text that is no key, for a certificate, and for other algorithms
 */
export function publicKeyOfPem(text: string): PublicKeyOfPem {
  const key = text.includes("-----BEGIN PUBLIC KEY-----") ? publicKey(spkiOfPem(text)) : publicOf(text);
  const algorithm = algorithmOf(key);
  const spki = plain(key.export({ format: "der", type: "spki" }));
  const isCurve = algorithm === "p-256" || algorithm === "p-384";
  return { algorithm, raw: isCurve ? spki : parseSpki(spki).key, spki };
}

/**
 * Signs on a thread of the pool: an ML-DSA signature sometimes takes 5 ms, too long for the event loop. Ed25519 and
 * ML-DSA-44 sign the message itself; P-256 signs its SHA-256 and P-384 its SHA-384, in DER.
 *
 * @throws EvidenceError `key-invalid`
 */
export function signWithPem(privatePem: string, message: Uint8Array): Promise<Uint8Array> {
  const key = privateKey(privatePem);
  const algorithm = algorithmOf(key);
  const digest = algorithm === "p-256" ? "sha256" : algorithm === "p-384" ? "sha384" : null;
  return new Promise((resolve, reject) => {
    cryptoSign(digest, message, key, (error, signature) => (error ? reject(error) : resolve(plain(signature))));
  });
}

// Parsing a key costs more than one verification with it, and a log has few keys. The bound keeps a caller that is fed
// endless keys from filling memory.
const rawKeys = new KeyCache<KeyObject>(256);
const spkiKeys = new KeyCache<KeyObject>(256);
const privateKeys = new KeyCache<KeyObject>(32);

function rawKey(type: "ed25519" | "ml-dsa-44", publicKey: Uint8Array): KeyObject {
  return rawKeys.get(publicKey, () =>
    readKey(type, () =>
      createPublicKey({ key: Buffer.from(publicKey), format: "raw-public", asymmetricKeyType: type }),
    ),
  );
}

function spkiKey(spki: Uint8Array): KeyObject {
  return spkiKeys.get(spki, () => {
    const { algorithm } = parseSpki(spki);
    if (algorithm === "ed25519" || algorithm === "ml-dsa-44") {
      throw new EvidenceError("key-invalid", "the key is not on P-256, P-384 or P-521");
    }
    return publicKey(spki);
  });
}

function publicKey(spki: Uint8Array): KeyObject {
  parseSpki(spki);
  return readKey("public", () => createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" }));
}

function publicOf(privatePem: string): KeyObject {
  return readKey("private", () => createPublicKey(createPrivateKey(privatePem)));
}

function privateKey(text: string): KeyObject {
  return privateKeys.get(Buffer.from(text), () => readKey("private", () => createPrivateKey(text)));
}

function readKey(what: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (cause) {
    throw new EvidenceError("key-invalid", `the ${what} key cannot be read`, { cause });
  }
}

function verifyWith(key: KeyObject, digest: string | null, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return cryptoVerify(digest, message, key, signature);
  } catch {
    // OpenSSL throws for some malformed signatures and returns false for others. Both are signatures that do not verify.
    return false;
  }
}

function algorithmOf(key: KeyObject): KeyAlgorithm {
  const type: string | undefined = key.asymmetricKeyType;
  if (type === "ed25519" || type === "ml-dsa-44") return type;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (type === "ec" && curve === "prime256v1") return "p-256";
  if (type === "ec" && curve === "secp384r1") return "p-384";
  throw new EvidenceError("key-invalid", `a key of type ${curve ?? type} is not used here`, {
    hint: "use Ed25519, ML-DSA-44, P-256 or P-384",
  });
}

function pem(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" }) as string;
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
