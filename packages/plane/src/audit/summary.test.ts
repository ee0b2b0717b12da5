import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  decodeEntry,
  type Member,
  memberTypes,
  parseDeviceEntry,
  type RecordsQuestion,
  readBundle,
  type SummaryAnswer,
  type SummaryQuestion,
  verifyBundle,
} from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice, type TestModel } from "./answer-world.ts";
import { explain, failed, repaired } from "./judgement.ts";

const hour = 3_600_000;

describe("a summary", () => {
  let world: AnswerWorld;
  let devices: TestDevice[];
  let models: TestModel[];
  const times: number[] = [];

  const about = (from: number, to: number, model: TestModel | null = null): SummaryQuestion => ({
    kind: "summary",
    model: model?.manifest ?? null,
    from,
    to,
    devices: null,
  });
  async function counts(question: SummaryQuestion): Promise<SummaryAnswer> {
    const report = await verifyBundle({
      bundle: await answer(world, question),
      trust: world.trust,
      expected: question,
    });
    assert.equal(explain(report), "");
    assert.equal(report.answer?.complete, "summary");
    return report.answer!.summary!;
  }

  // Two devices sync every hour; between, 5 and 7 records, by two models in turn; the first starts again halfway.
  before(async () => {
    world = await AnswerWorld.create();
    models = [await world.publish("first"), await world.publish("second")];
    await world.seal();
    devices = [await world.enrol(), await world.enrol()];
    for (let round = 0; round < 6; round += 1) {
      times.push(world.nowMs);
      for (const [i, device] of devices.entries()) {
        if (round === 3 && i === 0) await world.restart(device);
        if (round === 0 || (round === 3 && i === 0)) await world.load(device, models[round === 0 ? 0 : 1]!);
        for (let n = 0; n < 5 + 2 * i; n += 1) await world.infer(device);
        if (round === 4 && i === 1) {
          const next = device.load!.index + 1;
          await world.write(device, { kind: "gap", atMost: 3, from: next, to: next + 1, reason: 1 });
        }
      }
      world.pass(hour / 2);
      for (const device of devices) await world.sync(device);
      world.pass(hour / 2);
    }
    times.push(world.nowMs);
  });
  after(() => world.destroy());

  test("counts without any record what a full answer counts with all of them", async () => {
    for (let from = 0; from < times.length; from += 1) {
      for (let to = from + 1; to < times.length; to += 1) {
        const question = about(times[from]!, times[to]!, [null, ...models][(from + to) % 3]!);
        const { members } = await readBundle(await answer(world, question));
        const entries = members
          .filter(({ type }) => type === memberTypes.deviceEntry)
          .map(({ bytes }) => decodeEntry(parseDeviceEntry(bytes).bytes).kind);
        assert.ok(!entries.includes("inference"));
        const summary = await counts(question);
        const full = await fullCounts({ ...question, kind: "records" });
        assert.ok(summary.atLeast <= full.inside, `${summary.atLeast} are said to be inside, ${full.inside} are`);
        assert.ok(summary.atMost >= full.inside + full.possibly, `${summary.atMost} are said to be possible`);
      }
    }
  });

  async function fullCounts(question: RecordsQuestion) {
    const report = await verifyBundle({ bundle: await answer(world, question), trust: world.trust });
    assert.equal(explain(report), "");
    const of = (standing: string) => report.answer!.records.filter((record) => record.standing === standing).length;
    return { inside: of("inside"), possibly: of("possibly inside") };
  }

  test("is exact where syncs stand at both bounds, and says between which numbers it lies where they do not", async () => {
    const whole = await counts(about(Date.UTC(2025, 0), times[6]! + hour));
    assert.deepEqual([whole.atLeast, whole.atMost], [72, 72]);
    assert.deepEqual(
      whole.models.map(({ model, atLeast, atMost, devices: n }) => [model, atLeast, atMost, n]).sort(),
      [
        [models[0]!.manifest, 57, 57, 2],
        [models[1]!.manifest, 15, 15, 1],
      ].sort(),
    );
    const middle = await counts(about(times[2]!, times[4]!));
    assert.deepEqual([middle.atLeast, middle.atMost], [12, 36]);
  });

  test("has one line for each ledger and model: loads, versions, gaps, coverage, widths of brackets", async () => {
    const { ledgers } = await counts(about(times[1]!, times[5]!));
    const [first, second] = devices.map(({ origin }) => ledgers.find((ledger) => ledger.origin === origin)!);
    assert.deepEqual(first!.tallyVersions, ["0.1.0"]);
    assert.deepEqual(second!.tallyVersions, []);
    assert.deepEqual([first!.gaps, second!.gaps], [0, 1]);
    assert.deepEqual(
      first!.models.map(({ model, loads, runtimes }) => [model, loads, runtimes]).sort(),
      models.map(({ manifest }) => [manifest, 1, ["onnxruntime 1, cpu"]]).sort(),
    );
    for (const { brackets } of ledgers) {
      // Heads are sealed and anchors taken on the half hour: at either bound half an hour before and after it.
      assert.equal(brackets.atStart, hour - 999);
      assert.equal(brackets.atEnd, hour - 999);
      assert.ok(brackets.of >= 3);
      assert.equal(brackets.median, hour + 999);
    }
  });

  test("of one device accounts for the fleet, and counts that device", async () => {
    const summary = await counts({ ...about(Date.UTC(2025, 0), times[6]! + hour), devices: [devices[1]!.id] });
    assert.deepEqual(
      summary.ledgers.map(({ origin, atLeast }) => [origin, atLeast]),
      [[devices[1]!.origin, 42]],
    );
  });

  test("attack: a member left out of a summary is noticed, or at most widens what it says", async () => {
    const question = about(times[1]!, times[5]!);
    const whole = await counts(question);
    const { members } = await readBundle(await answer(world, question));
    let widened = 0;
    for (const dropped of members) {
      const bundle = repaired({ question, members }, (all) => all.filter((member) => member !== dropped));
      const report = await verifyBundle({ bundle, trust: world.trust, expected: question });
      if (report.outcome !== "good") continue;
      const summary = report.answer!.summary!;
      widened += 1;
      for (const ledger of whole.ledgers) {
        const now = summary.ledgers.find(({ origin }) => origin === ledger.origin)!;
        assert.ok(now.atLeast <= ledger.atLeast && now.atMost >= ledger.atMost);
      }
    }
    assert.ok(widened < members.length / 2);
  });

  test("attack: without a load that was counted, or a restart between the runs, nothing is proven", async () => {
    const question = about(times[1]!, times[5]!);
    const { members } = await readBundle(await answer(world, question));
    for (const kind of ["load", "restart", "genesis"]) {
      const isKind = ({ type, bytes }: Member) =>
        type === memberTypes.deviceEntry && decodeEntry(parseDeviceEntry(bytes).bytes).kind === kind;
      assert.ok(members.some(isKind));
      const bundle = repaired({ question, members }, (all) => all.filter((member) => !isKind(member)));
      const report = await verifyBundle({ bundle, trust: world.trust });
      assert.equal(report.outcome, "not proven", kind);
    }
  });

  test("attack: a summary put over the evidence of a full answer, and the other way round", async () => {
    const summary = about(times[1]!, times[5]!);
    const records: RecordsQuestion = { ...summary, kind: "records" };
    for (const [asked, other] of [
      [summary, records],
      [records, summary],
    ] as const) {
      const { members } = await readBundle(await answer(world, asked));
      const report = await verifyBundle({
        bundle: repaired({ question: other, members }, (all) => all),
        trust: world.trust,
      });
      assert.notEqual(report.outcome, "good");
    }
  });
});

describe("a summary of ledgers that are not as they should be", () => {
  let world: AnswerWorld;
  let device: TestDevice;
  const question: SummaryQuestion = {
    kind: "summary",
    model: null,
    from: Date.UTC(2025, 0),
    to: Date.UTC(2027, 0),
    devices: null,
  };
  const verified = async () => await verifyBundle({ bundle: await answer(world, question), trust: world.trust });

  before(async () => {
    world = await AnswerWorld.create();
    const model = await world.publish("model");
    await world.seal();
    device = await world.enrol();
    await world.load(device, model);
    for (let n = 0; n < 4; n += 1) await world.infer(device);
    world.pass(hour);
    await world.sync(device);
  });
  after(() => world.destroy());

  test("counts what lies behind the last summary as possible, of any model", async () => {
    await world.infer(device);
    await world.infer(device);
    await world.sync(device, false);
    // Delivered up to a head that was signed without a summary before it.
    const { checkpoint } = await device.ledger.seal();
    assert.equal(checkpoint.size, device.ledger.size);
    device.mirroredSize = checkpoint.size;
    await world.infer(device);
    const { note, checkpoint: bare } = await device.ledger.seal();
    world.deliver(device, note, bare.size);
    await world.seal();
    const report = await verified();
    assert.equal(explain(report), "");
    const [ledger] = report.answer!.summary!.ledgers;
    assert.deepEqual([ledger!.uncounted, ledger!.atLeast, ledger!.atMost], [1, 6, 7]);
  });

  test("says that nothing counts for certain where the keys are revoked without a time", async () => {
    await world.sync(device);
    await world.revoke(device, null);
    const report = await verified();
    assert.equal(explain(report), "");
    assert.deepEqual(
      report.answer!.ledgers.map(({ inside, possiblyInside, keyRevoked, standing }) => [
        inside,
        possiblyInside,
        keyRevoked,
        standing,
      ]),
      [[0, 0, 7, "keys revoked"]],
    );
  });

  test("attack: a device whose summaries take records back is convicted by them", async () => {
    const liar = await world.enrol();
    await world.load(liar, await world.publish("other"));
    for (let n = 0; n < 4; n += 1) await world.infer(liar);
    await world.sync(liar);
    liar.load!.count -= 2;
    world.pass(hour);
    await world.sync(liar);
    const asked: SummaryQuestion = { ...question, from: world.nowMs - hour / 2 };
    const report = await verifyBundle({ bundle: await answer(world, asked), trust: world.trust });
    assert.equal(report.outcome, "bad");
    assert.deepEqual(failed(report), ["counts"]);
  });
});
