import assert from "node:assert/strict";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkLedger } from "./check-ledger.ts";
import { Ledger } from "./ledger.ts";
import { sampleEntries } from "./testing/sample-entries.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { keySetOf, ORIGIN, testSigners } from "./testing/test-signers.ts";

const signers = testSigners(ORIGIN, [1, 6]);
const keySet = keySetOf(signers);

async function sealedLedger(t: TestContext, size: number): Promise<string> {
  const dir = await temporaryFolder(t);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  for (let from = 0; from < size; from += 40) {
    for (const entry of sampleEntries(from, Math.min(size, from + 40))) ledger.append(entry);
    await ledger.flush();
  }
  await ledger.seal();
  await ledger.close();
  return dir;
}

test("a whole ledger is reported whole, with its sizes", async (t) => {
  const dir = await sealedLedger(t, 300);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  for (const entry of sampleEntries(300, 310)) ledger.append(entry);
  await ledger.close();
  assert.deepEqual(await checkLedger(dir, { keySet }), {
    ok: true,
    origin: ORIGIN,
    size: 310,
    signedSize: 300,
    tornBytes: 0,
    signaturesVerified: true,
    problems: [],
  });
});

test("the check runs beside a process that has the ledger open", async (t) => {
  const dir = await sealedLedger(t, 30);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.equal((await checkLedger(dir, { keySet })).ok, true);
  await ledger.close();
});

test("a byte flipped anywhere in a sealed folder is found", async (t) => {
  const dir = await sealedLedger(t, 300);
  for (const name of ["entries", "commits", "hashes", "tiles", "checkpoint", "log.json"]) {
    const path = join(dir, name);
    const good = await readFile(path);
    const step = Math.max(1, Math.floor(good.length / 25));
    for (let at = 0; at < good.length; at += step) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0x10;
      await writeFile(path, bad);
      const report = await checkLedger(dir, { keySet });
      assert.equal(report.ok, false, `${name} at ${at}`);
    }
    await writeFile(path, good);
  }
  assert.equal((await checkLedger(dir, { keySet })).ok, true);
});

test("each altered entry is named, and the check goes on behind it", async (t) => {
  const dir = await sealedLedger(t, 300);
  const path = join(dir, "entries");
  const journal = await readFile(path);
  const offset = (index: number) => sampleEntries(0, index).reduce((sum, entry) => sum + 2 + entry.length, 2);
  for (const index of [3, 170]) journal[offset(index)]! ^= 1;
  await writeFile(path, journal);
  const what = (await checkLedger(dir)).problems
    .filter(({ where }) => where === "entries")
    .map((problem) => problem.what);
  assert.deepEqual(what.slice(0, 2), [
    "entry 3 does not match its leaf hash",
    "entry 170 does not match its leaf hash",
  ]);
  assert.match(what[2]!, /do not hash to the sealed root/);
});

test("a cut ledger is reported with where it ends", async (t) => {
  const dir = await sealedLedger(t, 300);
  await truncate(join(dir, "commits"), 32 * 2);
  const report = await checkLedger(dir);
  assert.deepEqual(report.problems, [{ where: "entries", what: "ends after entry 79; 300 entries were sealed" }]);
});

test("a checkpoint that lacks one of the required signatures is a problem", async (t) => {
  const dir = await sealedLedger(t, 5);
  const path = join(dir, "checkpoint");
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  await writeFile(path, `${lines.slice(0, -1).join("\n")}\n`);
  const report = await checkLedger(dir, { keySet });
  assert.equal(report.signaturesVerified, false);
  assert.equal(report.problems[0]?.where, "checkpoint");
});

test("a folder without a ledger is a problem, not an empty ledger", async (t) => {
  const report = await checkLedger(await temporaryFolder(t));
  assert.equal(report.ok, false);
});
