import { createPrivateKey, scryptSync } from "node:crypto";
import { fromBase64, fromUtf8, type JsonObject, parseJson } from "@tally/evidence";

// The private key of a `cosign generate-key-pair`: PEM around JSON, NaCl's secretbox (XSalsa20, Poly1305) under a key by scrypt, with
// PKCS #8 in it.
//
//     {"kdf": {"name": "scrypt", "params": {"N": 65536, "r": 8, "p": 1}, "salt": "…"},
//      "cipher": {"name": "nacl/secretbox", "nonce": "…"}, "ciphertext": "…"}

const block =
  /-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END ENCRYPTED \1 PRIVATE KEY-----/;

/** What cosign has written over the years; others would let a file ask for any amount of memory. */
const costs: readonly unknown[] = [2 ** 15, 2 ** 16, 2 ** 17];

export function isCosignKey(pem: string): boolean {
  return block.test(pem);
}

/** The key as plain PKCS #8 PEM, for memory only; undefined where the passphrase is not its. Throws for what is no such key. */
export async function decryptCosignKey(pem: string, passphrase: string): Promise<string | undefined> {
  const [, , body = ""] = block.exec(pem) ?? [];
  const { kdf, cipher, ciphertext } = objectIn(parseJson(fromUtf8(fromBase64(body.replace(/\s/g, "")))));
  const { name, params, salt } = objectIn(kdf);
  const { N, r, p } = objectIn(params);
  const { name: cipherName, nonce } = objectIn(cipher);
  if (name !== "scrypt" || !costs.includes(N) || r !== 8 || p !== 1) throw new Error("its key derivation is not known");
  if (cipherName !== "nacl/secretbox") throw new Error("its cipher is not known");
  const cost = { N: N as number, r, p, maxmem: 256 * (N as number) * r };
  const key = scryptSync(passphrase, bytesIn(salt), 32, cost);
  const { secretbox } = await import("@noble/ciphers/salsa.js");
  const box = secretbox(Uint8Array.from(key), bytesIn(nonce));
  let plain: Uint8Array;
  try {
    plain = box.open(bytesIn(ciphertext));
  } catch {
    return undefined;
  }
  const opened = createPrivateKey({ key: Buffer.from(plain), format: "der", type: "pkcs8" });
  return opened.export({ format: "pem", type: "pkcs8" }) as string;
}

function objectIn(value: unknown): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new Error("it is no key of cosign's");
}

function bytesIn(value: unknown): Uint8Array {
  if (typeof value === "string") return Uint8Array.from(fromBase64(value));
  throw new Error("it is no key of cosign's");
}
