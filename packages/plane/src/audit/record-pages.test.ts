import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type ByteSource,
  bytesSource,
  memberTypes,
  type Question,
  type RecordAnswer,
  readBundle,
  verifyBundle,
  verifyRecords,
} from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld } from "./answer-world.ts";

const hour = 3_600_000;

describe("the records of an answer", () => {
  let world: AnswerWorld;
  let bundle: Uint8Array;
  let all: readonly RecordAnswer[];
  const question: Question = { kind: "records", model: null, from: 1, to: Date.UTC(2027, 0), devices: null };

  before(async () => {
    world = await AnswerWorld.create();
    const models = [await world.publish("first"), await world.publish("second")];
    await world.seal();
    const devices = [await world.enrol(), await world.enrol()];
    for (let round = 0; round < 3; round += 1) {
      world.pass(hour);
      for (const [i, device] of devices.entries()) {
        const indices = [await world.load(device, models[i]!), await world.load(device, models[1 - i]!)];
        const [a, b] = device.loads.slice(-2);
        for (let k = 0; k < 200; k += 1) {
          const load = k % 3 === 0 ? a! : b!;
          device.load = load;
          await world.infer(device, load.count, indices[k % 3 === 0 ? 0 : 1]!);
        }
        await world.sync(device);
      }
    }
    bundle = await answer(world, question);
    const report = await verifyBundle({ bundle, trust: world.trust, holdRecords: 10_000 });
    assert.equal(report.outcome, "good");
    all = report.answer!.records;
  });
  after(() => world.destroy());

  test("are counted in full and held only as far as the caller wants them", async () => {
    assert.equal(all.length, 1200);
    for (const [holdRecords, held] of [
      [0, 0],
      [7, 7],
      [5000, 1200],
    ] as const) {
      // biome-ignore format: pairs
      const { answer: found } = await verifyBundle({ bundle, trust: world.trust, holdRecords });
      assert.equal(found!.recordCount, 1200);
      assert.deepEqual(found!.records, all.slice(0, held));
    }
    assert.equal((await verifyBundle({ bundle, trust: world.trust })).answer!.records.length, 1000);
    const inside = all.filter(({ standing }) => standing === "inside").length;
    const { ledgers, models } = (await verifyBundle({ bundle, trust: world.trust, holdRecords: 0 })).answer!;
    assert.equal(
      ledgers.reduce((sum, ledger) => sum + ledger.inside, 0),
      inside,
    );
    for (const model of models) {
      const own = all.filter((record) => record.model === model.manifest);
      assert.equal(model.inside + model.possiblyInside, own.length);
      assert.equal(model.devices, 2);
    }
  });

  test("are read again from any of them on, and by their places", async () => {
    const { records } = await verifyRecords({ bundle, trust: world.trust });
    assert.equal(records.count, all.length);
    for (const from of [0, 1, 130, 255, 599, 600, 601, 1199, 1200, 5000]) {
      assert.deepEqual(await Array.fromAsync(records.read(from)), all.slice(from), `from ${from}`);
    }
    const wanted = all.filter((_, i) => i % 97 === 5);
    const indices = new Map<string, Set<number>>();
    for (const { origin, index } of wanted) indices.set(origin, (indices.get(origin) ?? new Set()).add(index));
    indices.set("plane.test/d/none/0", new Set([3]));
    assert.deepEqual(await Array.fromAsync(records.pick(indices)), wanted);
  });

  test("are those of one ledger, model and standing, where that is asked for", async () => {
    const { records } = await verifyRecords({ bundle, trust: world.trust });
    const [first, last] = [all[0]!, all.at(-1)!];
    for (const trait of [
      {},
      { origin: last.origin },
      { model: first.model },
      { standing: last.standing },
      { origin: first.origin, model: first.model, standing: first.standing },
      { origin: "plane.test/d/none/0" },
      { model: null },
      { standing: "key revoked" as const },
    ]) {
      const expected = all.filter((record) =>
        Object.entries(trait).every(([name, value]) => record[name as keyof RecordAnswer] === value),
      );
      const found = records.only(trait);
      assert.equal(found.count, expected.length, JSON.stringify(trait));
      assert.deepEqual(await Array.fromAsync(found.read(0)), expected);
      if (expected.length > 130) assert.deepEqual(await Array.fromAsync(found.read(130)), expected.slice(130));
    }
  });

  test("of one model only are those of its loads, wherever they stand between others", async () => {
    const model = all[0]!.model;
    const one: Question = { ...question, model };
    const own = await answer(world, one);
    const { records } = await verifyRecords({ bundle: own, trust: world.trust });
    assert.deepEqual(
      (await Array.fromAsync(records.read(0))).map(({ origin, index }) => [origin, index]),
      all.filter((record) => record.model === model).map(({ origin, index }) => [origin, index]),
    );
  });

  test("attack: a file that is exchanged once it was checked to be whole", async () => {
    const { members } = await readBundle(bundle);
    for (const member of members) {
      const changed = bundle.slice();
      changed[member.offset + (member.type === memberTypes.entries ? 60 : 0)]! ^= 1;
      let checked = false;
      const source: ByteSource = {
        size: bundle.length,
        read: async (offset, length) => (checked ? changed : bundle).slice(offset, offset + length),
      };
      const exchange = ({ read, size }: { read: number; size: number }) => {
        checked ||= read === size;
      };
      await assert.rejects(verifyRecords({ bundle: source, trust: world.trust, onProgress: exchange }), {
        code: "source-changed",
      });
    }
  });

  test("attack: a file that is exchanged once it was verified gives no other records", async () => {
    let bytes = bundle;
    const source: ByteSource = {
      size: bundle.length,
      read: (offset, length) => bytesSource(bytes).read(offset, length),
    };
    const { records } = await verifyRecords({ bundle: source, trust: world.trust });
    const { members } = await readBundle(bundle);
    const slice = members.find(({ type, place }) => type === memberTypes.entries && place.origin.includes("/d/"))!;
    bytes = bundle.slice();
    bytes[slice.offset + slice.length - 1]! ^= 1;
    await assert.rejects(Array.fromAsync(records.read(0)), { code: "source-changed" });
  });

  test("a file that cannot be read is an error, not a bad answer", async () => {
    let left = 3;
    const failure = new Error("EIO: i/o error, read");
    const source: ByteSource = {
      size: bundle.length,
      read: (offset, length) => {
        left -= 1;
        return left < 0 ? Promise.reject(failure) : bytesSource(bundle).read(offset, length);
      },
    };
    await assert.rejects(verifyBundle({ bundle: source, trust: world.trust }), failure);
  });
});
