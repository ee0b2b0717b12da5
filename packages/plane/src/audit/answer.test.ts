import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { memberTypes, parseTrust, type Question, readBundle, utf8, verifyBundle, writeBundle } from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice, type TestModel } from "./answer-world.ts";
import { explain, failed, repaired } from "./judgement.ts";

const hour = 3_600_000;

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
    const report = await verifyBundle({ bundle, trust: world.trust, expected: question });
    assert.equal(explain(report), "");
    assert.equal(report.outcome, "good");
    assert.equal(report.answer?.records.length, 20);
    assert.ok(report.answer?.records.every(({ standing }) => standing === "inside" || standing === "possibly inside"));
    assert.deepEqual(
      report.answer?.models.map(({ manifest, approvedBy, devices: n, origin }) => ({
        manifest,
        approvedBy,
        n,
        data: origin.data.map(({ source }) => source),
      })),
      [{ manifest: model.manifest, approvedBy: ["reviewer"], n: 2, data: ["https://archive.example/data"] }],
    );
  });

  test("is the same file whenever it is written from the same logs", async () => {
    assert.deepEqual(await answer(world, question), await answer(world, question));
  });

  test("leaves out what is proven older than the interval, and says what is proven younger", async () => {
    const late: Question = { kind: "records", model: null, from: world.nowMs - 1, to: world.nowMs, devices: null };
    const report = await verifyBundle({ bundle: await answer(world, late), trust: world.trust });
    assert.equal(explain(report), "");
    assert.equal(report.answer?.records.length, 0);
    const early: Question = {
      kind: "records",
      model: null,
      from: Date.UTC(2025, 0),
      to: Date.UTC(2025, 1),
      devices: null,
    };
    const before = await verifyBundle({ bundle: await answer(world, early), trust: world.trust });
    assert.equal(explain(before), "");
    assert.equal(before.answer?.records.length, 0);
  });

  test("about one device names only that device, and still accounts for the fleet", async () => {
    const one: Question = { ...question, kind: "records", devices: [devices[0]!.id] } as Question;
    const report = await verifyBundle({ bundle: await answer(world, one), trust: world.trust });
    assert.equal(explain(report), "");
    assert.deepEqual(new Set(report.answer?.records.map(({ origin }) => origin)), new Set([devices[0]!.origin]));
    assert.equal(report.answer?.records.length, 10);
  });

  test("says until when each ledger has been delivered", async () => {
    const report = await verifyBundle({ bundle: await answer(world, question), trust: world.trust });
    for (const ledger of report.answer!.ledgers) {
      assert.equal(ledger.covered, false);
      assert.equal(ledger.coveredUntil, world.nowMs - hour);
    }
  });

  test("a receipt proves one record with a fraction of the bytes", async () => {
    const records = (await verifyBundle({ bundle: await answer(world, question), trust: world.trust })).answer!.records;
    const { origin, index } = records[13]!;
    const receipt = await answer(world, { kind: "record", origin, index });
    const report = await verifyBundle({ bundle: receipt, trust: world.trust });
    assert.equal(explain(report), "");
    assert.deepEqual(
      report.answer?.records.map((record) => [record.origin, record.index, record.model]),
      [[origin, index, model.manifest]],
    );
  });

  test("attack: one flipped byte anywhere is found, and named with its place", async () => {
    const bundle = await answer(world, question);
    const { members } = await readBundle(bundle);
    for (const member of members) {
      const at = member.offset + Math.floor(member.bytes.length / 2);
      const changed = bundle.slice();
      changed[at]! ^= 1;
      const report = await verifyBundle({ bundle: changed, trust: world.trust });
      assert.equal(report.outcome, "bad");
      assert.ok(report.damage, `flip at ${at}`);
      assert.ok(report.damage.offset <= at, `${report.damage.where} at ${report.damage.offset}, flipped ${at}`);
    }
  });

  test("attack: a flipped byte with the list and the trailer repaired fails a check", async () => {
    const original = await readBundle(await answer(world, question));
    for (const target of original.members) {
      const at = Math.floor(target.bytes.length / 2);
      const bytes = target.bytes.slice();
      bytes[at]! ^= 1;
      let changed: Uint8Array;
      try {
        changed = repaired(original, (all) => all.map((m) => (m === target ? { type: m.type, bytes } : m)));
      } catch {
        continue; // no longer a member of its type, so no bundle can be made of it
      }
      assert.notEqual(
        (await verifyBundle({ bundle: changed, trust: world.trust })).outcome,
        "good",
        `type ${target.type}`,
      );
    }
  });

  test("attack: a member left out is noticed, or at most widens brackets", async () => {
    const original = await readBundle(await answer(world, question));
    const whole = (await verifyBundle({ bundle: writeBundle(question, original.members), trust: world.trust })).answer!;
    const inside = (records: typeof whole.records) => records.filter(({ standing }) => standing === "inside").length;
    for (const target of original.members) {
      const changed = repaired(original, (all) => all.filter((member) => member !== target));
      const report = await verifyBundle({ bundle: changed, trust: world.trust });
      if (report.outcome !== "good") continue;
      assert.ok([memberTypes.planeCheckpoint, memberTypes.deviceEntry].some((type) => type === target.type));
      assert.equal(report.answer?.records.length, whole.records.length);
      assert.ok(inside(report.answer.records) <= inside(whole.records));
    }
  });

  test("attack: something slipped in beside the evidence is refused", async () => {
    const original = await readBundle(await answer(world, question));
    const changed = repaired(original, (all) => [...all, { type: memberTypes.blob, bytes: utf8("not asked for") }]);
    assert.deepEqual(failed(await verifyBundle({ bundle: changed, trust: world.trust })), ["nothing unused"]);
  });

  test("attack: a narrowed question is another question", async () => {
    const narrowed: Question = { ...question, kind: "records", devices: [devices[0]!.id] } as Question;
    const report = await verifyBundle({
      bundle: await answer(world, narrowed),
      trust: world.trust,
      expected: question,
    });
    assert.deepEqual(failed(report), ["question"]);
  });

  test("attack: an interval widened over withheld entries is not proven", async () => {
    const late: Question = { kind: "records", model: null, from: world.nowMs - 1, to: world.nowMs, devices: null };
    const original = await readBundle(await answer(world, late));
    const widened = writeBundle({ ...late, from: Date.UTC(2025, 0) }, original.members);
    assert.ok(failed(await verifyBundle({ bundle: widened, trust: world.trust })).includes("interval start"));
  });

  test("attack: a stale bundle fails where the trust file sets an age or a size", async () => {
    const bundle = await answer(world, question);
    const aged = { ...world.trust, maximumAgeSeconds: 60 };
    assert.deepEqual(failed(await verifyBundle({ bundle, trust: aged, now: world.nowMs })), ["age"]);
    const grown = { ...world.trust, minimumPlaneSize: 1_000_000 };
    assert.deepEqual(failed(await verifyBundle({ bundle, trust: grown })), ["minimum size"]);
  });

  test("attack: a plane that no witness of the trust file has cosigned proves nothing", async () => {
    const stranger = await AnswerWorld.create();
    const bundle = await answer(world, question);
    assert.equal((await verifyBundle({ bundle, trust: stranger.trust })).outcome, "bad");
    const witness = { ...world.trust, policy: stranger.trust.policy };
    assert.notEqual((await verifyBundle({ bundle, trust: witness })).outcome, "good");
    await stranger.destroy();
  });

  test("attack: without the approval of another person a model is not proven", async () => {
    const trust = parseTrust(utf8(JSON.stringify(trustWithout(world, "reviewer"))));
    assert.ok(failed(await verifyBundle({ bundle: await answer(world, question), trust })).includes("approval"));
  });
});

/** The world's trust file without one of its people. */
function trustWithout(world: AnswerWorld, name: string): object {
  const file = JSON.parse(new TextDecoder().decode(world.trustFile)) as { identities: { name: string }[] };
  return { ...file, identities: file.identities.filter((identity) => identity.name !== name) };
}

describe("an answer about a fleet with liars in it", () => {
  let world: AnswerWorld;
  let device: TestDevice;
  let model: TestModel;
  const ask = (): Question => ({
    kind: "records",
    model: null,
    from: Date.UTC(2025, 11),
    to: Date.UTC(2027, 0),
    devices: null,
  });
  const check = async () => await verifyBundle({ bundle: await answer(world, ask()), trust: world.trust });

  before(async () => {
    world = await AnswerWorld.create();
    model = await world.publish("first");
    await world.seal();
  });
  after(() => world.destroy());

  test("attack: a wrong ordinal convicts the device by its own entries", async () => {
    device = await world.enrol();
    await world.load(device, model);
    await world.infer(device, 5);
    await world.sync(device);
    const report = await check();
    assert.deepEqual(failed(report), ["ordinals"]);
    assert.match(explain(report), /ordinal under load 1 is 5, 0 was next/);
    world.devices.length = 0;
    await device.ledger.close();
  });
});
