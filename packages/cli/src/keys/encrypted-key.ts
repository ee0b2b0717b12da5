import { createCipheriv, createPrivateKey, randomBytes, scryptSync } from "node:crypto";
import { concatBytes, utf8 } from "@tally/evidence";

// PKCS #8 under a passphrase: PBES2 (RFC 8018, 6.2) with scrypt (RFC 7914, 7) and AES-256-CBC, which OpenSSL 1.1 and newer, Go,
// Java and Python read. What Node itself writes derives the key by PBKDF2 with 2,048 rounds, some hundred times too few.

/**
 * 16 MiB for each try, five times: among the settings for passwords that OWASP recommends (Password Storage Cheat Sheet), and
 * the largest memory that OpenSSL takes when it reads such a key (32 MiB, SCRYPT_MAX_MEM).
 */
export const scryptCost = { N: 2 ** 14, r: 8, p: 5 } as const;

const oid = {
  pbes2: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d],
  scrypt: [0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b],
  aes256Cbc: [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a],
} as const;

/** A private key, PKCS #8 PEM, as `ENCRYPTED PRIVATE KEY`. */
export function encryptPrivateKey(pem: string, passphrase: string): string {
  const plain = createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const cipher = createCipheriv("aes-256-cbc", scryptSync(utf8(passphrase), salt, 32, scryptCost), iv);
  const encrypted = concatBytes(cipher.update(plain), cipher.final());
  const derivation = sequence(
    object(oid.scrypt),
    sequence(octets(salt), integer(scryptCost.N), integer(scryptCost.r), integer(scryptCost.p)),
  );
  const scheme = sequence(object(oid.aes256Cbc), octets(iv));
  const der = sequence(sequence(object(oid.pbes2), sequence(derivation, scheme)), octets(encrypted));
  const lines = Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g)!;
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines.join("\n")}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

/** The key as plain PKCS #8 PEM, for memory only; undefined where the passphrase is not its. Throws for what is no such key. */
export function decryptPrivateKey(pem: string, passphrase: string): string | undefined {
  try {
    const key = createPrivateKey({ key: pem, passphrase: Buffer.from(passphrase, "utf8") });
    return key.export({ format: "pem", type: "pkcs8" }) as string;
  } catch (error) {
    // What comes out under a wrong passphrase has wrong padding, or by chance right padding and is no key.
    const { code } = error as { code?: string };
    if (code !== undefined && /BAD_DECRYPT|UNSUPPORTED/.test(code) && isWhole(pem)) return undefined;
    throw error;
  }
}

/** Whether the PEM holds one EncryptedPrivateKeyInfo whose scheme is PBES2. */
function isWhole(pem: string): boolean {
  const [, body = ""] =
    /-----BEGIN ENCRYPTED PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END ENCRYPTED PRIVATE KEY-----/.exec(pem) ?? [];
  const der = Buffer.from(body, "base64");
  return der[0] === 0x30 && der.includes(Buffer.from(oid.pbes2));
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(0x30, concatBytes(...parts));
}

function octets(bytes: Uint8Array): Uint8Array {
  return element(0x04, bytes);
}

function object(bytes: readonly number[]): Uint8Array {
  return element(0x06, Uint8Array.from(bytes));
}

function integer(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  if (bytes[0]! > 0x7f) bytes.unshift(0);
  return element(0x02, Uint8Array.from(bytes));
}

/** DER: tag, length in its shortest form, content. */
function element(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, Math.floor(length / 256), length % 256];
  return concatBytes(Uint8Array.from([tag, ...head]), content);
}
