import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { concatBytes, fromHex, toHex, utf8 } from "../bytes.ts";
import * as browser from "./browser.ts";
import * as node from "./node.ts";

const modules = [
  ["the Node module", node],
  ["the browser module", browser],
] as const;
const message = utf8("what the model said");

for (const [where, crypto] of modules) {
  test(`SHA-256 by ${where} gives the published digests, of one part and of several`, () => {
    // FIPS 180-4 examples.
    assert.equal(toHex(crypto.sha256()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert.equal(toHex(crypto.sha256(utf8("abc"))), abc);
    assert.equal(toHex(crypto.sha256(utf8("a"), new Uint8Array(0), utf8("bc"))), abc);
  });

  test(`random bytes by ${where} have the length asked for and do not repeat`, () => {
    const many = crypto.randomBytes(100_000);
    assert.equal(many.length, 100_000);
    assert.notDeepEqual(many.subarray(0, 32), many.subarray(99_968));
  });

  test(`Ed25519 by ${where} accepts RFC 8032's signatures and no other`, () => {
    // RFC 8032 section 7.1, test 2.
    const key = fromHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const signature = fromHex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    assertOnlyVerifies(crypto.verifyEd25519, key, fromHex("72"), signature);
  });

  test(`Ed25519 by ${where} refuses a signature whose scalar is not reduced`, async () => {
    const { raw, sig } = await signed("ed25519");
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const scalar = [...sig.subarray(32)].reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n) + order;
    const malleable = sig.slice();
    for (let i = 0, rest = scalar; i < 32; i++, rest >>= 8n) malleable[32 + i] = Number(rest & 255n);
    assert.equal(crypto.verifyEd25519(raw, message, sig), true);
    assert.equal(crypto.verifyEd25519(raw, message, malleable), false);
  });

  test(`ML-DSA-44 by ${where} accepts Node's signatures and no other`, async () => {
    const { raw, sig } = await signed("ml-dsa-44");
    assert.equal(raw.length, 1312);
    assert.equal(sig.length, 2420);
    assertOnlyVerifies(crypto.verifyMlDsa44, raw, message, sig);
  });

  test(`ECDSA by ${where} accepts DER signatures on three curves, low and high s alike, and no other`, () => {
    const cases = [
      ["P-256", "sha256"],
      ["P-384", "sha384"],
      ["P-384", "sha256"],
      ["P-521", "sha512"],
    ] as const;
    for (const [namedCurve, algorithm] of cases) {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
      const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
      // Half of OpenSSL's signatures have a high s.
      for (let i = 0; i < 6; i++) {
        const sig = new Uint8Array(sign(algorithm, message, privateKey));
        const verify = (key: Uint8Array, text: Uint8Array, s: Uint8Array) =>
          crypto.verifyEcdsa(key, algorithm, text, s);
        assertOnlyVerifies(verify, spki, message, sig);
        assert.equal(crypto.verifyEcdsa(spki, "sha512", utf8("another message"), sig), false);
      }
    }
  });

  test(`ECDSA by ${where} refuses keys of other kinds and points off the curve`, async () => {
    const refused = { name: "EvidenceError", code: "key-invalid" };
    const { spki, sig } = await signed("p-256");
    const edwards = node.publicKeyOfPem(node.generatePrivateKeyPem("ed25519")).spki;
    const offCurve = spki.slice();
    offCurve[offCurve.length - 1]! ^= 1;
    const compressed = concatBytes(
      fromHex("3039301306072a8648ce3d020106082a8648ce3d03010703220002"),
      spki.slice(27, 59),
    );
    for (const key of [edwards, offCurve, compressed, spki.subarray(1), new Uint8Array(0)]) {
      assert.throws(() => crypto.verifyEcdsa(key, "sha256", message, sig), refused);
    }
  });

  test(`a PEM public key by ${where} is read to its raw form, and anything else is refused`, () => {
    for (const algorithm of ["ed25519", "ml-dsa-44", "p-256", "p-384"] as const) {
      const privatePem = node.generatePrivateKeyPem(algorithm);
      const pem = createPublicKey(privatePem).export({ format: "pem", type: "spki" }) as string;
      const known = node.publicKeyOfPem(privatePem);
      assert.deepEqual(crypto.publicKeyOfPem(pem), known);
      assert.equal(known.algorithm, algorithm);
    }
    const p521 = generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey.export({ format: "pem", type: "spki" });
    const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "pem", type: "spki" });
    const cut = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2Vw\n-----END PUBLIC KEY-----\n";
    for (const text of [p521, rsa, cut, "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]) {
      assert.throws(() => crypto.publicKeyOfPem(text as string), { name: "EvidenceError", code: "key-invalid" });
    }
  });
}

test("both modules export the same names, so that either can stand behind #crypto", () => {
  assert.deepEqual(Object.keys(browser).sort(), Object.keys(node).sort());
});

test("a browser neither makes private keys nor signs, and says so", async () => {
  const refused = { name: "EvidenceError", code: "not-supported" };
  assert.throws(() => browser.generatePrivateKeyPem("ed25519"), refused);
  await assert.rejects(browser.signWithPem("", message), refused);
});

async function signed(algorithm: Parameters<typeof node.generatePrivateKeyPem>[0]) {
  const pem = node.generatePrivateKeyPem(algorithm);
  return { ...node.publicKeyOfPem(pem), sig: await node.signWithPem(pem, message) };
}

type Verify = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

function assertOnlyVerifies(verify: Verify, key: Uint8Array, text: Uint8Array, signature: Uint8Array): void {
  assert.equal(verify(key, text, signature), true);
  assert.equal(verify(key, concatBytes(text, utf8("!")), signature), false);
  for (const at of [0, signature.length >> 1, signature.length - 1]) {
    const changed = signature.slice();
    changed[at]! ^= 1;
    assert.equal(verify(key, text, changed), false);
  }
  for (const wrong of [signature.subarray(1), concatBytes(signature, Uint8Array.of(0)), new Uint8Array(0)]) {
    assert.equal(verify(key, text, wrong), false);
  }
}
