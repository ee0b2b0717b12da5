import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { before, describe, test } from "node:test";
import { decode, encode } from "cborg";
import {
  generatePrivateKeyPem,
  hashLeaf,
  inclusionRanges,
  proofFromRanges,
  publicKeyOfPem,
  type RootHash,
  rootOf,
  signCoseReceipt,
  signWithPem,
  utf8,
  verifyCoseReceipt,
} from "../index.ts";

const [issuer, subject, size, index] = ["tally.example/log", "tally.example/d/00/0", 300, 170];
const entryOf = (n: number) => utf8(`entry ${n}`);

describe("a COSE receipt", () => {
  const pem = generatePrivateKeyPem("ed25519");
  const { raw: publicKey, spki } = publicKeyOfPem(pem);
  const signer = { publicKey, sign: (message: Uint8Array) => signWithPem(pem, message) };
  let receipt: Uint8Array;
  let root: RootHash;

  before(async () => {
    const leaves = Array.from({ length: size }, (_, n) => hashLeaf(entryOf(n)));
    const node = (level: number, at: number) => rootOf(leaves.slice(at * 2 ** level, (at + 1) * 2 ** level));
    const proof = await proofFromRanges(inclusionRanges(index, size), node);
    root = rootOf(leaves) as RootHash;
    receipt = await signCoseReceipt({ issuer, subject, index, size, proof }, root, signer);
  });

  test("says which entry is in which ledger's tree, by whom", () => {
    const { proof, ...said } = verifyCoseReceipt(receipt, entryOf(index), publicKey);
    assert.deepEqual(said, { issuer, subject, index, size });
    assert.equal(proof.length, 9);
  });

  // With a CBOR library and the platform's crypto alone: none of our own code reads it.
  test("is what RFC 9942 says, as other tools read it", () => {
    const sign1 = decode(receipt, {
      useMaps: true,
      tags: Object.assign([], { 18: (inner: () => unknown) => inner() }),
    });
    const [header, unprotected, payload, signature] = sign1 as [Uint8Array, Map<number, unknown>, null, Uint8Array];
    assert.equal(payload, null);
    const protectedHeader = decode(header, { useMaps: true }) as Map<number, unknown>;
    assert.deepEqual([...protectedHeader.keys()], [1, 4, 15, 395]);
    assert.equal(protectedHeader.get(1), -8);
    assert.equal(protectedHeader.get(395), 1);
    assert.deepEqual(
      protectedHeader.get(15),
      new Map<number, string | number>([
        [1, issuer],
        [2, subject],
        [-65537, size],
      ]),
    );
    const vdp = unprotected.get(396) as Map<number, Uint8Array[]>;
    assert.deepEqual([[...unprotected.keys()], [...vdp.keys()], vdp.get(-1)!.length], [[396], [-1], 1]);
    const [treeSize, leafIndex, path] = decode(vdp.get(-1)![0]!) as [number, number, Uint8Array[]];
    assert.deepEqual([treeSize, leafIndex], [size, index]);
    const recomputed = rootOfPath(treeSize, leafIndex, entryOf(index), path);
    assert.deepEqual(recomputed, Buffer.from(root));
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    assert.ok(verify(null, encode(["Signature1", header, new Uint8Array(), recomputed]), key, signature));
  });

  test("of another entry, of another key, or with any byte changed, is refused", () => {
    const refused = (bytes: Uint8Array, entry = entryOf(index), key = publicKey) =>
      assert.throws(() => verifyCoseReceipt(bytes, entry, key), { code: "receipt-invalid" });
    refused(receipt, entryOf(index + 1));
    refused(receipt, entryOf(index), publicKeyOfPem(generatePrivateKeyPem("ed25519")).raw);
    refused(new Uint8Array([...receipt, 0]));
    for (let at = 0; at < receipt.length; at += 1) {
      const changed = receipt.slice();
      changed[at]! ^= 1;
      refused(changed);
    }
    for (const length of [0, 1, 2, 60, receipt.length - 1]) refused(receipt.slice(0, length));
  });
});

/** RFC 9162, 2.1.3.2. */
function rootOfPath(treeSize: number, leafIndex: number, entry: Uint8Array, path: readonly Uint8Array[]): Buffer {
  const hash = (...parts: Uint8Array[]) => parts.reduce((h, part) => h.update(part), createHash("sha256")).digest();
  let [fn, sn, r] = [leafIndex, treeSize - 1, hash(Uint8Array.of(0), entry)];
  for (const p of path) {
    assert.notEqual(sn, 0);
    if (fn % 2 === 1 || fn === sn) {
      r = hash(Uint8Array.of(1), p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else r = hash(Uint8Array.of(1), r, p);
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  assert.equal(sn, 0);
  return r;
}
