import assert from "node:assert/strict";
import { appendFile, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hashLeaf, rootOf } from "@tally/evidence";
import { checkLedger } from "./check/check-ledger.ts";
import { LedgerError } from "./error.ts";
import { Ledger } from "./ledger.ts";
import { sampleEntries } from "./testing/sample-entries.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { ORIGIN, testSigners } from "./testing/test-signers.ts";

const signers = testSigners();

/** A ledger with `signed` sealed entries and then one commit for each of `commits`, closed. */
async function ledgerOf(t: TestContext, signed: number, commits: readonly number[]): Promise<string> {
  const dir = await temporaryFolder(t);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  for (let sealed = 0; sealed < signed; sealed += 100) {
    for (const entry of sampleEntries(sealed, Math.min(sealed + 100, signed))) ledger.append(entry);
    await ledger.flush();
  }
  if (signed > 0) await ledger.seal();
  for (const count of commits) {
    for (const entry of sampleEntries(ledger.nextIndex, ledger.nextIndex + count)) ledger.append(entry);
    await ledger.flush();
  }
  await ledger.close();
  return dir;
}

/** Opens, checks that it holds exactly the first `size` sample entries, and that it goes on. */
async function expectWhole(dir: string, size: number): Promise<void> {
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.equal(ledger.damage, undefined);
  assert.equal(ledger.committedSize, size);
  assert.equal((await checkLedger(dir)).tornBytes, 0);
  assert.deepEqual(await ledger.root(), rootOf(sampleEntries(0, size).map(hashLeaf)));
  for (const entry of sampleEntries(size, size + 300)) ledger.append(entry);
  const { checkpoint } = await ledger.seal();
  assert.deepEqual(checkpoint.root, rootOf(sampleEntries(0, size + 300).map(hashLeaf)));
  await ledger.close();
  assert.deepEqual((await checkLedger(dir)).problems, []);
}

async function expectDamage(dir: string, signed: number, index: number, what: RegExp): Promise<void> {
  const before = await readFile(join(dir, "entries")).catch(() => undefined);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.match(ledger.damage?.what ?? "", what);
  assert.equal(ledger.damage?.index, index);
  const refused = (error: unknown) => error instanceof LedgerError && error.code === "damaged";
  assert.throws(() => ledger.append(new Uint8Array(1)), refused);
  await assert.rejects(ledger.seal(), refused);
  assert.equal(ledger.latest?.checkpoint.size, signed);
  await ledger.close();
  if (before !== undefined) assert.deepEqual(await readFile(join(dir, "entries")), before);
  assert.equal((await checkLedger(dir)).ok, false);
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes.set([bytes.at(at)! ^ 0x40], at < 0 ? bytes.length + at : at);
  await writeFile(path, bytes);
}

const length = async (path: string) => (await stat(path)).size;

test("bytes after the last commit are cut", async (t) => {
  const dir = await ledgerOf(t, 300, [50]);
  await appendFile(join(dir, "entries"), "half an entry");
  await appendFile(join(dir, "commits"), "half a record");
  assert.equal((await checkLedger(dir)).tornBytes, 13);
  await expectWhole(dir, 350);
});

test("a last commit that lost bytes is cut, the one before it stays", async (t) => {
  const dir = await ledgerOf(t, 300, [50, 20]);
  await truncate(join(dir, "entries"), (await length(join(dir, "entries"))) - 3);
  await expectWhole(dir, 350);
});

test("a flipped byte in the last commit above the signed size is a torn tail", async (t) => {
  const dir = await ledgerOf(t, 300, [50, 20]);
  await flip(join(dir, "entries"), -1);
  await expectWhole(dir, 350);
});

test("a commit record that never reached the disk takes its entries along", async (t) => {
  const dir = await ledgerOf(t, 300, [50, 20]);
  await truncate(join(dir, "commits"), (await length(join(dir, "commits"))) - 32);
  await expectWhole(dir, 350);
});

test("a flipped byte in acknowledged entries that others follow is damage, though nobody signed them", async (t) => {
  const dir = await ledgerOf(t, 300, []);
  const signedBytes = await length(join(dir, "entries"));
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  for (let i = 300; i < 310; i += 1) await ledger.append(sampleEntries(i, i + 1)[0]!).committed;
  await ledger.close();
  await flip(join(dir, "entries"), signedBytes + 5);
  await expectDamage(dir, 300, 300, /later ones were made/);
});

test("a flipped byte below the signed size is damage", async (t) => {
  const dir = await ledgerOf(t, 600, [50]);
  await flip(join(dir, "entries"), 40);
  await expectDamage(dir, 600, 0, /below the sealed size 600/);
});

test("entries that are missing below the signed size are damage", async (t) => {
  const dir = await ledgerOf(t, 600, [50]);
  const half = Math.floor((await length(join(dir, "entries"))) / 2);
  await truncate(join(dir, "entries"), half);
  await expectDamage(dir, 600, 300, /missing or altered below the sealed size 600/);
});

test("a ledger whose journal was deleted is damaged, not empty", async (t) => {
  const dir = await ledgerOf(t, 300, []);
  await rm(join(dir, "entries"));
  await rm(join(dir, "commits"));
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.equal(ledger.damage?.index, 0);
  await ledger.close();
});

test("a journal that was rewritten with matching checksums does not have the signed root", async (t) => {
  const dir = await ledgerOf(t, 300, []);
  const forged = await temporaryFolder(t);
  const other = await Ledger.open({ dir: forged, origin: ORIGIN, signers });
  for (const entry of [...sampleEntries(0, 10), new Uint8Array(1), ...sampleEntries(11, 300)]) other.append(entry);
  await other.close();
  for (const name of ["entries", "commits", "hashes", "tiles"]) {
    await writeFile(join(dir, name), await readFile(join(forged, name)));
  }
  await expectDamage(dir, 300, 0, /do not hash to the sealed root/);
});

test("a checkpoint that does not verify is damage, and nothing is cut on its word", async (t) => {
  const dir = await ledgerOf(t, 300, [20]);
  const path = join(dir, "checkpoint");
  const note = await readFile(path, "utf8");
  await writeFile(path, note.replace("\n300\n", "\n299\n"));
  await expectDamage(dir, 299, 0, /does not verify/);
  await writeFile(path, note.slice(0, 20));
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.match(ledger.damage?.what ?? "", /cannot be read/);
  assert.equal(ledger.committedSize, 320);
  await ledger.close();
});

test("a checkpoint signed by strangers is damage", async (t) => {
  const dir = await ledgerOf(t, 300, []);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers: testSigners() });
  assert.match(ledger.damage?.what ?? "", /does not verify/);
  await ledger.close();
});

test("damage far below the signed size is found by the check, and such an entry is not handed out", async (t) => {
  const dir = await temporaryFolder(t);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers, maxQueued: 20_000 });
  for (const entry of sampleEntries(0, 18_000)) ledger.append(entry);
  await ledger.seal();
  await ledger.close();
  await flip(join(dir, "entries"), 6);
  const again = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.equal(again.damage, undefined);
  await assert.rejects(again.entry(0), (error: LedgerError) => error.code === "damaged");
  await again.close();
  const report = await checkLedger(dir);
  const [{ where, what, entry, offset } = {}] = report.problems;
  assert.deepEqual([where, what, entry, offset], ["entries", "entry 0 does not match its leaf hash", 0, 0]);
});

test("leaf hashes that are gone are computed anew, also where the signed size ends with a whole tile", async (t) => {
  const dir = await temporaryFolder(t);
  const first = await Ledger.open({ dir, origin: ORIGIN, signers });
  for (let from = 0; from < 9216; from += 512) {
    for (const entry of sampleEntries(from, from + 512)) first.append(entry);
    await first.flush();
  }
  await first.seal();
  await first.close();
  await rm(join(dir, "hashes"));
  await (await Ledger.open({ dir, origin: ORIGIN, signers })).close();
  assert.deepEqual((await checkLedger(dir)).problems, []);
});
