import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { hashLeaf, rootOf, verifyInclusion } from "@tally/evidence";
import { checkLedger } from "./check/check-ledger.ts";
import { Ledger } from "./ledger.ts";
import { faultyFiles, OneFault } from "./testing/faulty-files.ts";
import { sampleEntries, sampleEntry } from "./testing/sample-entries.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { keySetOf, ORIGIN, testSigners } from "./testing/test-signers.ts";

const signers = testSigners();
const keySet = keySetOf(signers);

/** What was acknowledged, and what was acknowledged though a sync had failed before. */
interface Acknowledged {
  entries: number;
  signed: number;
  afterFailedSync: number;
}

/** Opens, appends, seals, closes and opens again, which recovers: every kind of operation that a ledger makes. */
async function work(dir: string, fault: OneFault, done: Acknowledged, ways: "reopen" | "recover"): Promise<void> {
  for (const rounds of [[3, 260], [2]]) {
    const ledger = await Ledger.open({ dir, origin: ORIGIN, signers, files: faultyFiles(fault.plan) });
    const append = async (count: number) => {
      // The reserve holds nothing that was acknowledged.
      const failedBefore = ways === "reopen" && fault.fired?.startsWith("sync ") && fault.fired !== "sync reserve";
      for (const entry of sampleEntries(ledger.nextIndex, ledger.nextIndex + count)) {
        const { index, committed } = ledger.append(entry);
        committed.then(
          () => {
            done.entries = Math.max(done.entries, index + 1);
            if (failedBefore) done.afterFailedSync += 1;
          },
          () => {},
        );
      }
      await ledger.flush();
      done.signed = (await ledger.seal()).checkpoint.size;
    };
    try {
      for (const count of rounds) {
        try {
          await append(count);
        } catch (error) {
          if (ways === "reopen") {
            await append(1).catch(() => {});
            throw error;
          }
          await ledger.recover();
          await append(1);
        }
      }
    } finally {
      await ledger.close();
    }
  }
}

async function expectWhole(dir: string, done: Acknowledged, where: string): Promise<void> {
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.equal(ledger.damage, undefined, where);
  assert.equal(done.afterFailedSync, 0, `${where}: acknowledged after a failed sync`);
  const { size } = ledger;
  assert.ok(size >= done.entries, `${where}: ${size} of ${done.entries} acknowledged entries`);
  assert.ok((ledger.latest?.checkpoint.size ?? 0) >= done.signed, where);
  ledger.append(sampleEntry(size));
  const { checkpoint } = await ledger.seal();
  assert.deepEqual(checkpoint.root, rootOf(sampleEntries(0, size + 1).map(hashLeaf)), where);
  for (const index of new Set([0, done.entries - 1, size].filter((at) => at >= 0))) {
    const leaf = hashLeaf(await ledger.entry(index));
    const proof = await ledger.inclusionProof(index, checkpoint.size);
    verifyInclusion(index, checkpoint.size, leaf, proof, checkpoint.root);
  }
  await ledger.close();
  const report = await checkLedger(dir, { keySet });
  assert.deepEqual([report.problems, report.size, report.signatures], [[], size + 1, "good"], where);
}

for (const code of ["EIO", "ENOSPC"] as const) {
  for (const ways of ["reopen", "recover"] as const) {
    const how = ways === "reopen" ? "opened again" : "recovered in place";
    test(`acknowledged entries are there and prove after a disk failed once, at any operation: ${code}, ${how}`, async (t) => {
      const folder = await temporaryFolder(t);
      const seen = new Set<string>();
      for (let at = 0; ; at += 1) {
        const dir = join(folder, String(at));
        const fault = new OneFault(at, code);
        const done = { entries: 0, signed: 0, afterFailedSync: 0 };
        await work(dir, fault, done, ways).catch((error: Error) => {
          assert.ok(fault.fired !== undefined, `nothing was made to fail, and yet: ${error.stack}`);
        });
        await expectWhole(dir, done, `${code} at operation ${at}, ${fault.fired}`);
        if (fault.fired === undefined) break;
        seen.add(fault.fired.replace(/ \d.*/, ""));
      }
      for (const one of [
        "write entries",
        "sync entries",
        "write commits",
        "sync commits",
        "write hashes",
        "sync tiles",
      ]) {
        assert.ok(seen.has(one), `${one} was never made to fail: ${[...seen]}`);
      }
      const more = code === "EIO" ? ["read commits", "size entries"] : ["rename checkpoint", "write reserve"];
      for (const one of more) assert.ok(seen.has(one), `${one} was never made to fail: ${[...seen]}`);
    });
  }
}
