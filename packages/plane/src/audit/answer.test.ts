import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Question, type Report, verifyBundle } from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice, type TestModel } from "./answer-world.ts";

const hour = 3_600_000;

function explain(report: Report): string {
  return report.checks
    .filter(({ result, required }) => result !== "good" && required)
    .map(({ name, about, reason }) => `${name} (${about}): ${reason}`)
    .join("\n");
}

describe("an answer about a fleet", () => {
  let world: AnswerWorld;
  let devices: TestDevice[];
  let model: TestModel;
  let question: Question;

  before(async () => {
    world = await AnswerWorld.create();
    model = await world.publish("first");
    await world.seal();
    devices = [await world.enrol(), await world.enrol()];
    world.pass(hour);
    for (const device of devices) {
      await world.load(device, model);
      await world.sync(device);
    }
    world.pass(hour);
    const from = world.nowMs - hour / 2;
    for (const device of devices) for (let i = 0; i < 10; i += 1) await world.infer(device);
    world.pass(hour);
    for (const device of devices) await world.sync(device);
    world.pass(hour);
    question = { kind: "records", model: model.manifest, from, to: world.nowMs, devices: null };
  });
  after(() => world.destroy());

  test("verifies offline from the trust file alone", async () => {
    const bundle = await answer(world, question);
    const report = verifyBundle({ bundle, trust: world.trust, expected: question });
    assert.equal(explain(report), "");
    assert.equal(report.outcome, "good");
    assert.equal(report.answer?.records.length, 20);
    assert.deepEqual(
      report.answer?.models.map(({ manifest, approvedBy, devices: n }) => ({ manifest, approvedBy, n })),
      [{ manifest: model.manifest, approvedBy: ["reviewer"], n: 2 }],
    );
  });
});
