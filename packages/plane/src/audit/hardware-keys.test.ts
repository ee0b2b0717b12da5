import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { generatePrivateKeyPem, noteSignerFromPem, type Question, type Trust, verifyBundle } from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestModel } from "./answer-world.ts";
import { explain, failed } from "./judgement.ts";

const hour = 3_600_000;

describe("keys in hardware", () => {
  let world: AnswerWorld;
  let model: TestModel;
  let trust: Trust;

  before(async () => {
    world = await AnswerWorld.create();
    model = await world.publish("first");
    await world.seal();
    trust = { ...world.trust, requiredDeviceAlgorithms: ["p-256", "ml-dsa-44"] };
  });
  after(() => world.destroy());

  const judgeDevice = async (id: string) => {
    const question: Question = {
      kind: "records",
      model: null,
      from: Date.UTC(2025, 11),
      to: Date.UTC(2027, 0),
      devices: [id],
    };
    return verifyBundle({ bundle: await answer(world, question), trust });
  };
  const work = async (device: Awaited<ReturnType<AnswerWorld["enrol"]>>) => {
    await world.load(device, model);
    for (let i = 0; i < 3; i += 1) await world.infer(device);
    world.pass(hour);
    await world.sync(device);
  };

  test("P-256 as a TPM has it takes Ed25519's place beside ML-DSA, and its signatures hold", async () => {
    const device = await world.enrol(undefined, "p-256");
    await work(device);
    const report = await judgeDevice(device.id);
    assert.equal(explain(report), "");
    assert.equal(report.answer?.recordCount, 3);
  });

  test("stolen file key: signatures of the keys in files do not stand in for the one in the TPM", async () => {
    const inTpm = noteSignerFromPem(
      "plane.test/d/00000000000000000000000000000000/0",
      2,
      generatePrivateKeyPem("p-256"),
    );
    const tpmKey = { type: inTpm.key.type, publicKey: inTpm.key.publicKey };
    // Enrolled with the TPM's key; what signs is a thief of the file with the ML-DSA key, beside a key of their own.
    const device = await world.enrol((keySet) => ({ keySet: [tpmKey, keySet[1]] }));
    await work(device);
    const report = await judgeDevice(device.id);
    assert.deepEqual(failed(report), ["device checkpoint"]);
    assert.match(explain(report), /not signed by its type 2 key/);
    assert.equal(report.answer?.recordCount, 0);
  });

  test("a device with keys in files only is not what the trust file asks for", async () => {
    const device = await world.enrol();
    await work(device);
    const report = await judgeDevice(device.id);
    assert.deepEqual(failed(report), ["device checkpoint"]);
    assert.match(explain(report), /asks for p-256/);
  });
});
