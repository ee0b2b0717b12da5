import assert from "node:assert/strict";
import { copyFile, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { concatBytes, utf8 } from "@tally/evidence";
import { Ledger } from "../ledger.ts";
import { LogStore } from "../store/log-store.ts";
import { sampleEntries } from "../testing/sample-entries.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";
import { checkLedger } from "./check-ledger.ts";

const signers = testSigners(ORIGIN, [1, 6]);
const keySet = keySetOf(signers);

async function sealedLedger(t: TestContext, size: number, origin = ORIGIN, prefix = ""): Promise<string> {
  const dir = await temporaryFolder(t);
  const own = origin === ORIGIN ? signers : testSigners(origin, [1, 6]);
  const ledger = await Ledger.open({ dir, origin, signers: own });
  for (let from = 0; from < size; from += 40) {
    for (const entry of sampleEntries(from, Math.min(size, from + 40))) ledger.append(concatBytes(utf8(prefix), entry));
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
    signatures: "good",
    problems: [],
  });
});

test("the check runs beside a process that has the ledger open", async (t) => {
  const dir = await sealedLedger(t, 30);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.equal((await checkLedger(dir, { keySet })).ok, true);
  await ledger.close();
});

const FILES = ["entries", "commits", "hashes", "tiles", "checkpoint", "log.json"] as const;

test("a byte flipped anywhere in a sealed folder is found, and the file is named", async (t) => {
  const dir = await sealedLedger(t, 300);
  for (const name of FILES) {
    const path = join(dir, name);
    const good = await readFile(path);
    const step = Math.max(1, Math.floor(good.length / 40));
    for (let at = 0; at < good.length; at += step) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0x10;
      await writeFile(path, bad);
      const { ok, problems } = await checkLedger(dir, { keySet });
      assert.equal(ok, false, `${name} at ${at}`);
      const blamed = [...new Set(problems.map(({ where }) => where))];
      // A changed name no longer is that of the other files: then it is they who seem to be another ledger's.
      if (name === "log.json" || name === "checkpoint")
        assert.ok(blamed.includes("checkpoint") || blamed.includes(name));
      else assert.deepEqual(blamed, [name], `${name} at ${at}: ${JSON.stringify(problems)}`);
    }
    await writeFile(path, good);
  }
  assert.equal((await checkLedger(dir, { keySet })).ok, true);
});

test("a flipped byte is named by its entry and where that begins in the file", async (t) => {
  const dir = await sealedLedger(t, 300);
  const place = async (name: string, at: number) => {
    const path = join(dir, name);
    const good = await readFile(path);
    const bad = Buffer.from(good);
    bad[at]! ^= 1;
    await writeFile(path, bad);
    const { problems } = await checkLedger(dir, { keySet });
    await writeFile(path, good);
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.ok(problems[0]!.hint.length > 20);
    return [problems[0]!.where, problems[0]!.entry, problems[0]!.offset];
  };
  const offset = (index: number) => sampleEntries(0, index).reduce((sum, entry) => sum + 2 + entry.length, 0);
  assert.deepEqual(await place("entries", offset(57) + 5), ["entries", 57, offset(57)]);
  assert.deepEqual(await place("entries", offset(57) + 1), ["entries", 57, offset(57)], "in its length");
  assert.deepEqual(await place("entries", offset(299) + 1), ["entries", 299, offset(299)], "in the last length");
  assert.deepEqual(await place("hashes", 57 * 32 + 3), ["hashes", 57, 57 * 32]);
  assert.deepEqual(await place("tiles", 12), ["tiles", 0, 0]);
  assert.deepEqual(await place("commits", 3 * 32 + 7), ["commits", 120, 96], "in its index");
  assert.deepEqual(await place("commits", 3 * 32 + 15), ["commits", 120, 96], "in its offset");
  assert.deepEqual(await place("commits", 3 * 32 + 31), ["commits", 120, 96], "in its chain");
  assert.deepEqual(await place("commits", 7 * 32), ["commits", 280, 7 * 32], "in the last one");
});

test("each altered entry is named, and the check goes on behind it", async (t) => {
  const dir = await sealedLedger(t, 300);
  const path = join(dir, "entries");
  const journal = await readFile(path);
  const offset = (index: number) => sampleEntries(0, index).reduce((sum, entry) => sum + 2 + entry.length, 2);
  for (const index of [3, 170]) journal[offset(index)]! ^= 1;
  await writeFile(path, journal);
  const report = await checkLedger(dir);
  // That no others are: with their leaf hashes in place of these two, the root is the signed one.
  assert.deepEqual(
    report.problems.map(({ where, what }) => [where, what]),
    [
      ["entries", "entry 3 does not match its leaf hash"],
      ["entries", "entry 170 does not match its leaf hash"],
    ],
  );
  assert.equal(report.size, 3);
});

test("a file cut anywhere is named, with where it ends", async (t) => {
  const dir = await sealedLedger(t, 300);
  for (const name of FILES) {
    const path = join(dir, name);
    const good = await readFile(path);
    for (const share of [0, 0.3, 0.7, 0.99]) {
      const length = Math.floor(good.length * share);
      await truncate(path, length);
      const { problems } = await checkLedger(dir, { keySet });
      assert.deepEqual(
        [...new Set(problems.map(({ where }) => where))],
        [name],
        `${name} at ${length}: ${JSON.stringify(problems)}`,
      );
      await writeFile(path, good);
    }
  }
});

test("a file that is deleted is named", async (t) => {
  const dir = await sealedLedger(t, 300);
  for (const name of FILES) {
    const path = join(dir, name);
    const good = await readFile(path);
    await rm(path);
    const report = await checkLedger(dir, { keySet });
    if (name === "checkpoint") {
      assert.equal(
        report.signatures,
        "none",
        "as before the first seal: nothing in the folder says that there was one",
      );
      assert.equal(report.signedSize, 0);
    } else {
      assert.deepEqual(
        report.problems.map(({ where, what }) => [where, what]),
        [[name, "is missing"]],
      );
    }
    await writeFile(path, good);
  }
});

test("a file swapped with another ledger's is named", async (t) => {
  const [dir, other] = [await sealedLedger(t, 300), await sealedLedger(t, 300, "tally.test/plane/d/ff/0", "other")];
  for (const name of FILES) {
    const path = join(dir, name);
    const good = await readFile(path);
    await copyFile(join(other, name), path);
    const blamed = [...new Set((await checkLedger(dir, { keySet })).problems.map(({ where }) => where))];
    assert.ok(blamed.includes(name), `${name}: ${blamed}`);
    await writeFile(path, good);
  }
});

test("two files of a ledger put in each other's place are named", async (t) => {
  const dir = await sealedLedger(t, 300);
  for (const [a, b] of [
    ["entries", "hashes"],
    ["commits", "tiles"],
    ["hashes", "tiles"],
    ["checkpoint", "log.json"],
  ] as const) {
    await swap(join(dir, a), join(dir, b));
    const blamed = (await checkLedger(dir, { keySet })).problems.map(({ where }) => where);
    assert.ok(blamed.includes(a) && blamed.includes(b), `${a}, ${b}: ${blamed}`);
    await swap(join(dir, a), join(dir, b));
  }
});

test("attack: two entries swapped, with all that follows from them, do not hash to what was signed", async (t) => {
  const entries = sampleEntries(0, 300);
  const dir = await sealedLedger(t, 300);
  const rewritten = await temporaryFolder(t);
  [entries[10], entries[20]] = [entries[20]!, entries[10]!];
  const forged = await LogStore.open({ dir: rewritten, origin: ORIGIN });
  await forged.append(entries);
  await forged.seal(300, await forged.root());
  await forged.close();
  await copyFile(join(dir, "checkpoint"), join(rewritten, "checkpoint"));
  const withKeys = await checkLedger(rewritten, { keySet });
  assert.deepEqual(
    withKeys.problems.map(({ where }) => where),
    ["entries"],
  );
  const without = await checkLedger(rewritten);
  assert.deepEqual([without.problems[0]?.where, without.signatures], ["checkpoint", "not-checked"]);
});

test("without keys a whole ledger is whole, and its signatures are said to be unchecked", async (t) => {
  const report = await checkLedger(await sealedLedger(t, 30));
  assert.deepEqual([report.ok, report.signatures], [true, "not-checked"]);
});

test("a checkpoint that lacks one of the required signatures is a problem", async (t) => {
  const dir = await sealedLedger(t, 5);
  const path = join(dir, "checkpoint");
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  await writeFile(path, `${lines.slice(0, -1).join("\n")}\n`);
  const report = await checkLedger(dir, { keySet });
  assert.equal(report.signatures, "bad");
  assert.equal(report.problems[0]?.where, "checkpoint");
});

test("a folder without a ledger is a problem, not an empty ledger", async (t) => {
  const report = await checkLedger(await temporaryFolder(t));
  assert.equal(report.ok, false);
});

async function swap(a: string, b: string): Promise<void> {
  await rename(a, `${a}.aside`);
  await rename(b, a);
  await rename(`${a}.aside`, b);
}
