import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  decodeEntry,
  memberTypeName,
  memberTypes,
  parseDeviceEntry,
  parseSparseEntries,
  proofFromRanges,
  type RecordsQuestion,
  type Report,
  readBundle,
  sparseEntriesMember,
  sparseRanges,
  verifyBundle,
  verifyRecords,
} from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld, type TestDevice, type TestModel } from "./answer-world.ts";
import { explain, repaired } from "./judgement.ts";

const hour = 3_600_000;

describe("a summarised answer", () => {
  let world: AnswerWorld;
  let device: TestDevice;
  let models: TestModel[];
  const times: number[] = [];

  const about = (from: number, to: number, model: TestModel | null = models[0]!): RecordsQuestion => ({
    kind: "records",
    model: model?.manifest ?? null,
    from,
    to,
    devices: null,
  });
  const verified = async (bundle: Uint8Array, requireFull = false) =>
    verifyBundle({ bundle, trust: world.trust, requireFull });
  const recordsOf = ({ answer: given }: Report) =>
    given!.records.map(({ origin, index, ordinal, model, standing }) => ({ origin, index, ordinal, model, standing }));

  // Two models take turns on one device, four rounds of 150 records and a sync; after the second the device starts again.
  before(async () => {
    world = await AnswerWorld.create();
    models = [await world.publish("first"), await world.publish("second")];
    await world.seal();
    device = await world.enrol();
    for (let round = 0; round < 4; round += 1) {
      times.push(world.nowMs);
      if (round === 2) await world.restart(device);
      if (round % 2 === 0) for (const model of models) await world.load(device, model);
      for (let n = 0; n < 150; n += 1) {
        device.load = device.loads[n % 3 === 0 ? 0 : 1]!;
        await world.infer(device);
      }
      world.pass(hour / 2);
      await world.sync(device);
      world.pass(hour / 2);
    }
    times.push(world.nowMs);
  });
  after(() => world.destroy());

  test("has the records of a full answer, with the same standing, and none of the other entries", async () => {
    for (const [from, to] of [
      [0, 4],
      [1, 2],
      [1, 3],
      [2, 4],
      [3, 4],
    ] as const) {
      for (const model of [...models, null]) {
        const question = about(times[from]!, times[to]!, model);
        const full = await verified(await answer(world, question));
        const bundle = await answer(world, question, "summarised");
        const report = await verified(bundle);
        assert.equal(explain(report), "");
        assert.equal(report.answer!.complete, "summarised");
        assert.ok(report.answer!.reliesOn[0]?.includes("agreed on a lie"));
        assert.deepEqual(recordsOf(report), recordsOf(full));
        const { members } = await readBundle(bundle);
        const kinds = members
          .filter(({ type }) => type === memberTypes.sparseEntries)
          .flatMap(({ bytes }) => parseSparseEntries(bytes).entries.map((entry) => decodeEntry(entry)));
        const loads = new Set(report.answer!.records.map(({ loadIndex }) => loadIndex));
        assert.ok(kinds.every((entry) => entry.kind === "inference" && loads.has(entry.loadIndex)));
      }
    }
  });

  test("its records that have one trait and then another are those that have both", async () => {
    const question = about(times[1]!, times[3]!, null);
    for (const detail of ["full", "summarised"] as const) {
      const { records } = await verifyRecords({ bundle: await answer(world, question, detail), trust: world.trust });
      const [first, second] = [models[0]!, models[1]!];
      const ofFirst = records.only({ model: first.manifest });
      assert.ok(ofFirst.count > 0 && ofFirst.count < records.count);
      assert.equal(ofFirst.only({ origin: device.origin }).count, ofFirst.count, detail);
      const none = ofFirst.only({ model: second.manifest });
      assert.deepEqual([none.count, await Array.fromAsync(none.read(0))], [0, []], detail);
    }
  });

  test("is not enough where a full answer is insisted on", async () => {
    const bundle = await answer(world, about(times[1]!, times[3]!), "summarised");
    const report = await verified(bundle, true);
    assert.equal(report.outcome, "not proven");
    assert.equal(report.answer!.complete, "incomplete");
    assert.equal((await verified(await answer(world, about(times[1]!, times[3]!)), true)).outcome, "good");
  });

  test("attack: without any one record, neighbour, summary, restart or load it is not proven", async () => {
    const question = about(times[1]!, times[3]!);
    const bundle = await answer(world, question, "summarised");
    const whole = recordsOf(await verified(bundle));
    const { members } = await readBundle(bundle);
    let dropped = 0;
    for (const member of members) {
      const without = repaired({ question, members }, (all) => all.filter((other) => other !== member));
      const report = await verified(without);
      const name = memberTypeName(member.type);
      const kind =
        member.type === memberTypes.deviceEntry ? decodeEntry(parseDeviceEntry(member.bytes).bytes).kind : name;
      if (["genesis", "summary", "restart", "load", "sparseEntries"].includes(kind)) {
        dropped += 1;
        assert.equal(report.outcome, "not proven", kind);
      } else if (report.outcome === "good") {
        // Times only: records may move from inside to possibly inside, and none goes away.
        const now = recordsOf(report).map(({ index }) => index);
        assert.ok(
          whole.every(({ index }) => now.includes(index)),
          kind,
        );
      }
    }
    assert.ok(dropped >= 8);
    await dropEachRecord(question, members);
  });

  /** Each sixth record out of its package, with an honest proof of the others. */
  async function dropEachRecord(
    question: RecordsQuestion,
    members: Awaited<ReturnType<typeof readBundle>>["members"],
  ): Promise<void> {
    for (const member of members.filter(({ type }) => type === memberTypes.sparseEntries)) {
      const { origin, size, indices, entries } = parseSparseEntries(member.bytes);
      for (let at = 0; at < indices.length && indices.length > 1; at += 6) {
        const kept = indices.filter((_, i) => i !== at);
        const proof = await proofFromRanges(sparseRanges(kept, size), (level, index) =>
          device.ledger.node(level, index),
        );
        const smaller = sparseEntriesMember({
          origin,
          size,
          indices: kept,
          entries: entries.filter((_, i) => i !== at),
          proof,
        });
        const report = await verified(
          repaired({ question, members }, (all) => all.map((other) => (other === member ? smaller : other))),
        );
        assert.equal(report.outcome, "not proven", `without record ${indices[at]}`);
      }
    }
  }

  test("attack: entries of a summarised answer with a byte changed, or of another place, are bad", async () => {
    const question = about(times[1]!, times[3]!);
    const { members } = await readBundle(await answer(world, question, "summarised"));
    const member = members.find(({ type }) => type === memberTypes.sparseEntries)!;
    const parsed = parseSparseEntries(member.bytes);
    const first = parsed.entries[0]!.slice();
    first[first.length - 1]! ^= 1;
    for (const change of [
      { entries: [first, ...parsed.entries.slice(1)] },
      { size: parsed.size - 1 },
      { indices: [...parsed.indices.slice(0, -1), parsed.indices.at(-1)! + 1] },
      { proof: parsed.proof.slice(1) },
    ]) {
      const changed = sparseEntriesMember({ ...parsed, ...change });
      const bundle = repaired({ question, members }, (all) => all.map((other) => (other === member ? changed : other)));
      assert.equal((await verified(bundle)).outcome, "bad", Object.keys(change)[0]!);
    }
  });

  test("shows all that follows the last summary, since no summary counts it", async () => {
    device.load = device.loads[0]!;
    await world.infer(device);
    device.load = device.loads[1]!;
    await world.infer(device);
    const { note, checkpoint } = await device.ledger.seal();
    world.deliver(device, note, checkpoint.size);
    await world.seal();
    const question = about(times[3]!, world.nowMs + hour);
    const full = await verified(await answer(world, question));
    const bundle = await answer(world, question, "summarised");
    const report = await verified(bundle);
    assert.equal(explain(report), "");
    assert.deepEqual(recordsOf(report), recordsOf(full));
    const { members } = await readBundle(bundle);
    const last = members.findLast(({ type }) => type === memberTypes.sparseEntries)!;
    const without = repaired({ question, members }, (all) => all.filter((member) => member !== last));
    assert.equal((await verified(without)).outcome, "not proven");
  });

  test("where a bound lies between summaries, the record beyond it bounds the ordinals", async () => {
    // The head above was signed without a summary: what is older than the interval ends within a summary's count.
    world.pass(hour);
    const from = world.nowMs;
    world.pass(hour / 2);
    for (let n = 0; n < 4; n += 1) await world.infer(device);
    await world.sync(device);
    const question = about(from, world.nowMs + hour, models[1]!);
    const bundle = await answer(world, question, "summarised");
    const report = await verified(bundle);
    assert.equal(explain(report), "");
    assert.deepEqual(recordsOf(report), recordsOf(await verified(await answer(world, question))));
    assert.equal(report.answer!.recordCount, 4);
    const { members } = await readBundle(bundle);
    const [member] = members.filter(({ type }) => type === memberTypes.sparseEntries);
    const { origin, size, indices, entries } = parseSparseEntries(member!.bytes);
    assert.equal(indices.length, 5);
    const proof = await proofFromRanges(sparseRanges(indices.slice(1), size), (level, index) =>
      device.ledger.node(level, index),
    );
    const alone = sparseEntriesMember({ origin, size, indices: indices.slice(1), entries: entries.slice(1), proof });
    const without = repaired({ question, members }, (all) => all.map((other) => (other === member ? alone : other)));
    assert.equal((await verified(without)).outcome, "not proven");
  });
});
