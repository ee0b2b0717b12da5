import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, randomBytes, scryptSync } from "node:crypto";
import { test } from "node:test";
import { secretbox } from "@noble/ciphers/salsa.js";
import { decryptCosignKey, isCosignKey } from "./cosign-key.ts";

// interop/cosign.test.ts opens keys that cosign itself made; here they are made as its library does.

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const passphrase = "correct horse";

function made(change: (json: Record<string, Record<string, unknown>>) => void = () => {}): string {
  const [salt, nonce] = [randomBytes(32), randomBytes(24)];
  const key = scryptSync(passphrase, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });
  const plain = Uint8Array.from(privateKey.export({ format: "der", type: "pkcs8" }));
  const json = {
    kdf: { name: "scrypt", params: { N: 2 ** 15, r: 8, p: 1 }, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(secretbox(Uint8Array.from(key), Uint8Array.from(nonce)).seal(plain)).toString("base64"),
  };
  change(json as never);
  const body = Buffer.from(JSON.stringify(json)).toString("base64");
  return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${body}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
}

test("cosign's private key opens with its passphrase, and with no other", async () => {
  const pem = made();
  assert.ok(isCosignKey(pem));
  const opened = await decryptCosignKey(pem, passphrase);
  assert.ok(createPublicKey(opened!).equals(createPublicKey(privateKey)));
  assert.equal(await decryptCosignKey(pem, "correct"), undefined);
});

test("a key file that asks for other work or another cipher than cosign's, or was changed, opens nothing", async () => {
  await assert.rejects(
    decryptCosignKey(
      made(({ kdf }) => Object.assign(kdf!.params!, { N: 2 ** 30 })),
      passphrase,
    ),
  );
  await assert.rejects(
    decryptCosignKey(
      made(({ kdf }) => Object.assign(kdf!, { name: "none" })),
      passphrase,
    ),
  );
  await assert.rejects(
    decryptCosignKey(
      made(({ cipher }) => Object.assign(cipher!, { name: "none" })),
      passphrase,
    ),
  );
  const changed = made((json) => Object.assign(json, { ciphertext: `AAAA${String(json.ciphertext).slice(4)}` }));
  assert.equal(await decryptCosignKey(changed, passphrase), undefined);
});
