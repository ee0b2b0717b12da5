import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { consistencyMember, deviceEntryMember } from "@tally/evidence";
import type { Ledger } from "@tally/ledger";
import { AnswerWorld } from "./answer-world.ts";
import { LedgerProver } from "./ledger-prover.ts";

describe("what is proven of one ledger with shared lookups", () => {
  let world: AnswerWorld;
  let ledger: Ledger;

  before(async () => {
    world = await AnswerWorld.create();
    const model = await world.publish("model");
    await world.seal();
    const device = await world.enrol();
    await world.load(device, model);
    // Past two tiles, with a partial one behind them.
    for (let n = 0; n < 600; n += 1) await world.infer(device);
    await world.sync(device);
    ledger = device.ledger;
  });
  after(() => world.destroy());

  test("is byte for byte what the ledger proves of each entry and size by itself", async () => {
    for (const size of [ledger.size, 512, 300, 2]) {
      const prover = new LedgerProver(ledger, size);
      for (const index of [0, 1, 254, 255, 256, 257, 299, 511, 512, ledger.size - 1]) {
        if (index >= size) continue;
        const [bytes, proof] = [await ledger.entry(index), await ledger.inclusionProof(index, size)];
        const alone = deviceEntryMember(ledger.origin, { index, bytes, size, proof });
        assert.deepEqual(await prover.entryMember(index), alone);
        if (index === 0) continue;
        const grown = await ledger.consistencyProof(index, size);
        const { origin } = ledger;
        const consistent = consistencyMember({ origin, smaller: index, larger: size, proof: grown });
        assert.deepEqual(await prover.consistencyMember(index), consistent);
      }
    }
  });

  test("is looked up once, however often it is asked for", async () => {
    const asked: string[] = [];
    const watched = new Proxy(ledger, {
      get(target, key) {
        if (key === "node")
          return (level: number, index: number) => asked.push(`${level} ${index}`) && target.node(level, index);
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const prover = new LedgerProver(watched, ledger.size);
    await Promise.all([10, 11, 300].map((index) => prover.entryMember(index)));
    const once = asked.length;
    await Promise.all([10, 11, 300].map((index) => prover.entryMember(index)));
    assert.ok(once > 0);
    assert.equal(asked.length, once);
  });
});
