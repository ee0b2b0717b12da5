import assert from "node:assert/strict";
import { test } from "node:test";
import { hashLeaf, rootOf } from "@tally/evidence";
import { checkLedger } from "./check/check-ledger.ts";
import { Ledger } from "./ledger.ts";
import { sampleEntries, sampleEntry } from "./testing/sample-entries.ts";
import { PowerCut, SimulatedDisk, seededRandom } from "./testing/simulated-disk.ts";
import { keySetOf, ORIGIN, testSigners } from "./testing/test-signers.ts";

const signers = testSigners();
const options = { dir: "/ledger", origin: ORIGIN, signers };

/** What was acknowledged before the power went. */
interface Acknowledged {
  entries: number;
  signed: number;
}

/** Appends, commits and seals in a fixed pattern until the power goes or the pattern ends. */
async function work(disk: SimulatedDisk, acknowledged: Acknowledged): Promise<void> {
  const ledger = await Ledger.open({ ...options, files: disk });
  for (const [count, seal] of [
    [1, true],
    [3, false],
    [260, false],
    [1, true],
    [5, false],
    [2, true],
  ] as const) {
    for (const entry of sampleEntries(ledger.nextIndex, ledger.nextIndex + count)) {
      ledger.append(entry).committed.then(
        () => {
          acknowledged.entries += 1;
        },
        () => {},
      );
    }
    await ledger.flush();
    if (seal) acknowledged.signed = (await ledger.seal()).checkpoint.size;
  }
  await ledger.close();
}

async function expectRecovered(disk: SimulatedDisk, acknowledged: Acknowledged, where: string): Promise<void> {
  const ledger = await Ledger.open({ ...options, files: disk });
  assert.equal(ledger.damage, undefined, where);
  const { size } = ledger;
  assert.ok(size >= acknowledged.entries, `${where}: ${size} of ${acknowledged.entries} acknowledged entries`);
  assert.ok((ledger.latest?.checkpoint.size ?? 0) >= acknowledged.signed, where);
  for (let i = 0; i < size; i += 97) assert.deepEqual(await ledger.entry(i), sampleEntry(i), where);
  assert.deepEqual(await ledger.root(), rootOf(sampleEntries(0, size).map(hashLeaf)), where);
  for (const entry of sampleEntries(size, size + 3)) ledger.append(entry);
  assert.equal((await ledger.seal()).checkpoint.size, size + 3);
  await ledger.close();
  const report = await checkLedger("/ledger", { files: disk, keySet: keySetOf(signers) });
  assert.deepEqual(report.problems, [], where);
}

test("power lost at any operation: what was acknowledged is there, the rest is whole or absent", async () => {
  const rehearsal = new SimulatedDisk();
  await work(rehearsal, { entries: 0, signed: 0 });
  for (let cut = 0; cut < rehearsal.operations; cut += 1) {
    for (let seed = 0; seed < 4; seed += 1) {
      const disk = new SimulatedDisk();
      disk.cutAt = cut;
      const acknowledged = { entries: 0, signed: 0 };
      await assert.rejects(work(disk, acknowledged), (error: Error) => isPowerCut(error));
      await expectRecovered(
        disk.afterPowerCut(seededRandom(1000 * cut + seed)),
        acknowledged,
        `cut ${cut} seed ${seed}`,
      );
    }
  }
});

test("power lost again while recovering loses nothing that was acknowledged", async () => {
  const random = seededRandom(7);
  for (let round = 0; round < 60; round += 1) {
    let disk = new SimulatedDisk();
    disk.cutAt = 20 + Math.floor(random() * 40);
    const acknowledged = { entries: 0, signed: 0 };
    await work(disk, acknowledged).catch(() => {});
    for (let again = 0; again < 3; again += 1) {
      disk = disk.afterPowerCut(random);
      disk.cutAt = Math.floor(random() * 12);
      const opened = await Ledger.open({ ...options, files: disk }).catch(() => undefined);
      assert.equal(opened?.damage, undefined);
    }
    await expectRecovered(disk.afterPowerCut(random), acknowledged, `round ${round}`);
  }
});

test("what opening found after a killed process stays, even if the power goes right after", async () => {
  const rehearsal = new SimulatedDisk();
  await work(rehearsal, { entries: 0, signed: 0 });
  for (let cut = 0; cut < rehearsal.operations; cut += 1) {
    const disk = new SimulatedDisk();
    disk.cutAt = cut;
    await work(disk, { entries: 0, signed: 0 }).catch(() => {});
    const opened = await Ledger.open({ ...options, files: disk.afterProcessDied() });
    const promised = { entries: opened.size, signed: opened.latest?.checkpoint.size ?? 0 };
    await expectRecovered(disk.afterPowerCut(seededRandom(cut)), promised, `killed at ${cut}`);
  }
});

test("entries whose fsync failed, found whole when opening, are written again before they count", async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const disk = new SimulatedDisk();
    const ledger = await Ledger.open({ ...options, files: disk });
    for (const entry of sampleEntries(0, 5)) ledger.append(entry);
    await ledger.seal();
    disk.syncsFail = true;
    const lost = sampleEntries(5, 9).map((entry) => ledger.append(entry).committed);
    for (const { status } of await Promise.allSettled(lost)) assert.equal(status, "rejected");
    const opened = await Ledger.open({ ...options, files: disk.afterProcessDied() });
    assert.equal(opened.size, 9);
    await expectRecovered(disk.afterPowerCut(seededRandom(seed)), { entries: 9, signed: 5 }, `seed ${seed}`);
  }
});

function isPowerCut(error: unknown): boolean {
  if (error instanceof PowerCut) return true;
  return error instanceof Error && error.cause !== undefined && isPowerCut(error.cause);
}
