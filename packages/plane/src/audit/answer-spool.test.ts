import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Question, verifyBundle } from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerSpool, type AnswerSpoolOptions, type SpooledAnswer } from "./answer-spool.ts";
import { AnswerWorld, type TestDevice } from "./answer-world.ts";

const everything: Question = { kind: "records", model: null, from: 1, to: Date.UTC(2027, 0), devices: null };

async function bytesOf({ file, size }: SpooledAnswer): Promise<Uint8Array> {
  const bytes = new Uint8Array(await file.readFile());
  await file.close();
  assert.equal(bytes.length, size);
  return bytes;
}

describe("answers that are kept while they are sent", () => {
  let world: AnswerWorld;
  let device: TestDevice;
  let dir: string;
  const open = (options: Partial<AnswerSpoolOptions> = {}) =>
    AnswerSpool.open({ dir, source: world, clock: { now: () => world.nowMs }, ...options } as AnswerSpoolOptions);

  beforeEach(async () => {
    world = await AnswerWorld.create();
    const model = await world.publish("first");
    await world.seal();
    device = await world.enrol();
    await world.load(device, model);
    for (let i = 0; i < 300; i += 1) await world.infer(device);
    await world.sync(device);
    dir = join(world.dir, "answers");
  });
  afterEach(() => world.destroy());

  test("have the bytes of the answer, once for all who ask as of one checkpoint", async () => {
    const spool = await open();
    const [one, other] = await Promise.all([spool.answer(everything), spool.answer(everything)]);
    assert.deepEqual(await readdir(dir), [`${(await readdir(dir))[0]}`]);
    assert.equal(one.tag, other.tag);
    const bytes = await bytesOf(one);
    assert.deepEqual(await bytesOf(other), bytes);
    assert.deepEqual(bytes, await answer(world, everything), "the same bytes whenever it is asked");
    assert.equal(one.tag, Buffer.from(bytes.subarray(-32)).toString("hex"));
    assert.equal((await verifyBundle({ bundle: bytes, trust: world.trust })).outcome, "good");
    await world.infer(device);
    assert.deepEqual(await bytesOf(await spool.answer(everything)), bytes, "nothing new has been cosigned");
  });

  test("are found again by their tag after a newer one was made, for as long as they are kept", async () => {
    const spool = await open({ keepMs: 3_600_000 });
    const first = await spool.answer(everything);
    const bytes = await bytesOf(first);
    world.pass(1_800_000);
    await world.sync(device);
    const newer = await spool.answer(everything);
    assert.notEqual(newer.tag, first.tag);
    await newer.file.close();
    const again = await spool.find(everything, first.tag);
    assert.deepEqual(await bytesOf(again!), bytes);
    assert.equal(await spool.find({ ...everything, from: 2 }, first.tag), undefined, "of that question only");
    assert.equal(await spool.find(everything, "0".repeat(64)), undefined);
    world.pass(3_600_001);
    assert.equal(await spool.find(everything, first.tag), undefined);
    assert.deepEqual([await readdir(dir), spool.bytes], [[], 0]);
  });

  test("take no more room than they are given: the one asked for longest ago goes, and stays readable", async () => {
    const { length } = await answer(world, everything);
    const spool = await open({ maxBytes: Math.floor(length * 2.5) });
    const given: SpooledAnswer[] = [];
    for (const from of [1, 2, 3]) {
      world.pass(1000);
      given.push(await spool.answer({ ...everything, from }));
      assert.ok(spool.bytes <= length * 2.5);
    }
    assert.equal((await readdir(dir)).length, 2);
    assert.equal(await spool.find({ ...everything, from: 1 }, given[0]!.tag), undefined);
    for (const one of given) await bytesOf(one);
    const small = await open({ maxBytes: length - 1 });
    await assert.rejects(small.answer(everything), { code: "too-large" });
    assert.deepEqual([await readdir(dir), small.bytes], [[], 0], "nothing is left of it");
  });

  test("that cannot be made leave nothing behind, and what an earlier process left is removed", async () => {
    const spool = await open();
    await assert.rejects(spool.answer({ kind: "record", origin: "plane.test/d/none/0", index: 3 }), {
      code: "not-found",
    });
    assert.deepEqual(await readdir(dir), []);
    await writeFile(join(dir, "left.tally.part"), "half");
    await open();
    assert.deepEqual(await readdir(dir), []);
  });
});
