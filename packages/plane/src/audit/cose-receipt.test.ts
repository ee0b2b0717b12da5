import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  generatePrivateKeyPem,
  hashLeaf,
  parseCheckpoint,
  parseTlogProof,
  publicKeyOfPem,
  readBundle,
  recordProof,
  signWithPem,
  verifyCoseReceipt,
  verifyInclusion,
} from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice } from "./answer-world.ts";
import { coseReceipt } from "./cose-receipt.ts";

describe("a record's receipt for other people's tools", () => {
  let world: AnswerWorld;
  let device: TestDevice;
  let index: number;
  const pem = generatePrivateKeyPem("ed25519");
  const signer = { publicKey: publicKeyOfPem(pem).raw, sign: (message: Uint8Array) => signWithPem(pem, message) };

  before(async () => {
    world = await AnswerWorld.create();
    device = await world.enrol();
    await world.load(device, await world.publish("model"));
    for (let n = 0; n < 5; n += 1) index = await world.infer(device);
    await world.sync(device);
  });
  after(() => world.destroy());

  test("as COSE receipt is over the tree that a cosigned head covers", async () => {
    const receipt = await coseReceipt(world, device.origin, index, signer);
    const said = verifyCoseReceipt(receipt, await device.ledger.entry(index), signer.publicKey);
    assert.deepEqual(
      [said.issuer, said.subject, said.index, said.size],
      [world.log.origin, device.origin, index, device.mirroredSize],
    );
  });

  test("as COSE receipt is there for records alone, and not before a head covers them", async () => {
    const later = await world.infer(device);
    for (const at of [later, index + 1, 0, 1]) {
      await assert.rejects(coseReceipt(world, device.origin, at, signer), { code: "not-found" });
    }
    await assert.rejects(coseReceipt(world, "plane.test/d/00/0", 0, signer), { code: "not-found" });
  });

  test("as tlog-proof is the entry under the device's own checkpoint", async () => {
    const bundle = await readBundle(await answer(world, { kind: "record", origin: device.origin, index }));
    const { text, entry } = recordProof(bundle);
    const proof = parseTlogProof(text);
    const { checkpoint } = parseCheckpoint(proof.checkpoint);
    assert.deepEqual(entry, await device.ledger.entry(index));
    assert.deepEqual(proof.extra, entry);
    assert.deepEqual([proof.index, checkpoint.origin, checkpoint.size], [index, device.origin, device.mirroredSize]);
    verifyInclusion(proof.index, checkpoint.size, hashLeaf(entry), proof.hashes, checkpoint.root);
    const members = bundle.members.filter(({ place }) => place.index !== index);
    assert.throws(() => recordProof({ ...bundle, members }), { code: "receipt-invalid" });
  });
});
