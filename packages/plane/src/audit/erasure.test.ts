import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { erasureStatement, memberTypes, readBundle, type Statement, verifyBundle, writeBundle } from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice } from "./answer-world.ts";
import { explain, failed, judge } from "./judgement.ts";

describe("erasure", () => {
  let world: AnswerWorld;
  let device: TestDevice;
  let indices: number[];

  /** What the device says when it has erased these records. */
  const erasing = async (of: TestDevice, erased: readonly number[], more = {}): Promise<Statement> =>
    erasureStatement({
      origin: of.origin,
      records: await Promise.all(erased.map(async (index) => ({ index, leaf: await of.ledger.leafHash(index) }))),
      keystore: "file",
      segments: [],
      ...more,
    });
  const receipt = async (index: number) => {
    await world.seal();
    return answer(world, { kind: "record", origin: device.origin, index });
  };

  const judged = async () => {
    await world.seal();
    return judge(world);
  };

  beforeEach(async () => {
    world = await AnswerWorld.create();
    await world.seal();
    device = await world.enrol();
    await world.load(device, await world.publish("m"));
    indices = [];
    for (let i = 0; i < 3; i++) indices.push(await world.infer(device));
    await world.sync(device);
  });
  afterEach(() => world.destroy());

  test("a record that the device erased is reported so, with the statement that says it; every proof holds", async () => {
    const erased = [indices[1]!];
    const statement = await world.stateWith(device.pems, await erasing(device, erased));
    const report = await judged();
    assert.equal(explain(report), "");
    assert.equal(report.outcome, "good");
    assert.equal(report.answer?.records.length, 3);
    assert.deepEqual(report.answer?.erased, [{ origin: device.origin, index: indices[1], statement }]);
    const verified = async (index: number) => verifyBundle({ bundle: await receipt(index), trust: world.trust });
    const [erasedReceipt, other] = [await verified(indices[1]!), await verified(indices[2]!)];
    assert.deepEqual([erasedReceipt?.outcome, erasedReceipt?.answer?.erased.length], ["good", 1]);
    assert.deepEqual([other?.outcome, other?.answer?.erased], ["good", []]);
  });

  test("attack: a record is claimed to be erased by a statement that is in no log: not proven", async () => {
    await world.stateWith(device.pems, await erasing(device, [indices[1]!]));
    await world.seal();
    const question = { kind: "record", origin: device.origin, index: indices[1]! } as const;
    const { members } = await readBundle(await answer(world, question));
    const [envelope] = members.filter(
      ({ type, bytes }) => type === memberTypes.envelope && Buffer.from(bytes).includes("payload") && isErasure(bytes),
    );
    assert.ok(envelope !== undefined);
    const unlogged = members.filter((member) => {
      if (member.type !== memberTypes.planeEntry) return true;
      return !Buffer.from(member.bytes).includes(Buffer.from(envelope.digest));
    });
    assert.equal(unlogged.length, members.length - 1);
    const report = await verifyBundle({ bundle: writeBundle(question, unlogged), trust: world.trust });
    assert.equal(report.outcome, "not proven");
    assert.deepEqual(report.answer?.erased, []);
    assert.match(explain(report), /does not prove it to be in the plane's log/);
  });

  test("attack: somebody else, another device, or a thief of one of two keys says that a record was erased", async () => {
    const other = await world.enrol();
    const statement = await erasing(device, [indices[0]!]);
    for (const pems of [[device.pems[0]], [device.pems[1]], other.pems]) {
      await world.stateWith(pems, statement);
      const report = await judged();
      assert.equal(report.outcome, "bad");
      assert.deepEqual(new Set(failed(report)), new Set(["erasure"]));
      assert.deepEqual(report.answer?.erased, []);
    }
  });

  test("attack: an erasure of a record with another leaf hash erases nothing", async () => {
    const leaf = await device.ledger.leafHash(indices[1]!);
    await world.stateWith(device.pems, await erasing(device, [], { records: [{ index: indices[0]!, leaf }] }));
    const report = await judged();
    assert.equal(report.outcome, "good");
    assert.deepEqual(report.answer?.erased, []);
  });
});

function isErasure(bytes: Uint8Array): boolean {
  const { payload } = JSON.parse(Buffer.from(bytes).toString()) as { payload: string };
  return Buffer.from(payload, "base64").includes("urn:tally:erasure:v1");
}
