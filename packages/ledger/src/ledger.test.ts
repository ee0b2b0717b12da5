import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hashLeaf, parseCheckpoint, rootOf, utf8, verifyAllOf, verifyInclusion, verifyNote } from "@tally/evidence";
import { LedgerError } from "./error.ts";
import { Ledger } from "./ledger.ts";
import { openForReading } from "./open-for-reading.ts";
import { faultyFiles } from "./testing/faulty-files.ts";
import { sampleEntries, sampleEntry } from "./testing/sample-entries.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { keySetOf, ORIGIN, testSigners } from "./testing/test-signers.ts";

const signers = testSigners();

function code(expected: string) {
  return (error: unknown) => error instanceof LedgerError && error.code === expected;
}

test("an entry gets its index and leaf hash at once and is durable when committed resolves", async (t) => {
  const dir = await temporaryFolder(t);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  const first = ledger.append(sampleEntry(0));
  const second = ledger.append(sampleEntry(1));
  assert.deepEqual([first.index, second.index], [0, 1]);
  assert.deepEqual(first.leaf, hashLeaf(sampleEntry(0)));
  assert.equal(ledger.committedSize, 0);
  await second.committed;
  assert.equal(ledger.committedSize, 2);
  assert.deepEqual(await ledger.entry(1), sampleEntry(1));
  await ledger.close();
});

test("what is appended together is synced together, and promises resolve in the order of the entries", async (t) => {
  const synced: string[] = [];
  const files = faultyFiles((operation, file) => {
    if (operation === "sync") synced.push(file);
    return undefined;
  });
  const ledger = await Ledger.open({ dir: await temporaryFolder(t), origin: ORIGIN, signers, files });
  synced.length = 0;
  const order: number[] = [];
  const waiting = sampleEntries(0, 500).map((entry) => {
    const { index, committed } = ledger.append(entry);
    return committed.then(() => order.push(index));
  });
  await Promise.all(waiting);
  assert.deepEqual(
    order,
    Array.from({ length: 500 }, (_, i) => i),
  );
  assert.deepEqual(synced.sort(), ["commits", "entries"]);
  await ledger.close();
});

test("the caller's buffer may be reused after append", async (t) => {
  const ledger = await Ledger.open({ dir: await temporaryFolder(t), origin: ORIGIN, signers });
  const buffer = utf8("first");
  const { leaf } = ledger.append(buffer);
  buffer.fill(0);
  await ledger.flush();
  assert.deepEqual(await ledger.entry(0), utf8("first"));
  assert.deepEqual(leaf, hashLeaf(utf8("first")));
  await ledger.close();
});

test("an entry that is refused consumes no index", async (t) => {
  const ledger = await Ledger.open({ dir: await temporaryFolder(t), origin: ORIGIN, signers, maxQueued: 2 });
  assert.throws(() => ledger.append(new Uint8Array(65_536)), code("entry-too-large"));
  ledger.append(sampleEntry(0));
  ledger.append(sampleEntry(1));
  assert.throws(() => ledger.append(sampleEntry(2)), code("queue-full"));
  await ledger.flush();
  assert.equal(ledger.append(sampleEntry(2)).index, 2);
  await ledger.close();
});

test("seal commits what is queued and gives a note that every signer signed, stored before it is given", async (t) => {
  const dir = await temporaryFolder(t);
  const both = testSigners(ORIGIN, [1, 6]);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers: both });
  for (const entry of sampleEntries(0, 300)) ledger.append(entry);
  const { checkpoint, note } = await ledger.seal();
  assert.equal(checkpoint.size, 300);
  assert.deepEqual(checkpoint.root, rootOf(sampleEntries(0, 300).map(hashLeaf)));
  assert.equal(await readFile(join(dir, "checkpoint"), "utf8"), note);
  assert.deepEqual(verifyAllOf(parseCheckpoint(utf8(note)).note, ORIGIN, keySetOf(both)), checkpoint);
  verifyInclusion(7, 300, hashLeaf(sampleEntry(7)), await ledger.inclusionProof(7, 300), checkpoint.root);
  await ledger.close();
  const again = await Ledger.open({ dir, origin: ORIGIN, signers: both });
  assert.equal(again.latest?.note, note);
  await again.close();
});

test("a device's ML-DSA signature states no time, a plane's the clock's", async (t) => {
  const both = testSigners(ORIGIN, [1, 6]);
  for (const [checkpointTime, expected] of [
    ["zero", null],
    ["clock", 1_750_000_000],
  ] as const) {
    const clock = { now: () => 1_750_000_000_999 };
    const dir = await temporaryFolder(t);
    const ledger = await Ledger.open({ dir, origin: ORIGIN, signers: both, clock, checkpointTime });
    const { note } = await ledger.seal();
    const verified = verifyNote(
      parseCheckpoint(utf8(note)).note,
      both.map(({ key }) => key),
    );
    assert.equal(verified.find(({ key }) => key.type === 6)?.time, expected);
    await ledger.close();
  }
});

test("sealing the same size twice gives the same note; concurrent seals share one", async (t) => {
  const ledger = await Ledger.open({ dir: await temporaryFolder(t), origin: ORIGIN, signers });
  ledger.append(sampleEntry(0));
  const first = await ledger.seal();
  assert.equal((await ledger.seal()).note, first.note);
  ledger.append(sampleEntry(1));
  const running = ledger.seal();
  ledger.append(sampleEntry(2));
  const [second, third, fourth] = await Promise.all([running, ledger.seal(), ledger.seal()]);
  assert.ok(second.checkpoint.size >= 2);
  assert.equal(third.checkpoint.size, 3);
  assert.equal(fourth.note, third.note);
  await ledger.close();
});

test("a signer that fails leaves the ledger as it was, and sealing again works", async (t) => {
  const ledger = await Ledger.open({ dir: await temporaryFolder(t), origin: ORIGIN, signers: [flaky()] });
  ledger.append(sampleEntry(0));
  await assert.rejects(ledger.seal(), /the token is not there/);
  assert.equal(ledger.latest, undefined);
  assert.equal((await ledger.seal()).checkpoint.size, 1);
  await ledger.close();
});

test("a signer that signs something else is caught before its note leaves", async (t) => {
  const dir = await temporaryFolder(t);
  const signer = signers[0]!;
  const wrong = {
    key: signer.key,
    sign: (checkpoint: Parameters<typeof signer.sign>[0], time: number) =>
      signer.sign({ ...checkpoint, size: checkpoint.size + 1 }, time),
  };
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers: [wrong] });
  ledger.append(sampleEntry(0));
  await assert.rejects(ledger.seal());
  assert.equal((await readdir(dir)).includes("checkpoint"), false);
  await ledger.close();
});

test("a second opening of the folder is refused, in this process and from another", async (t) => {
  const dir = await temporaryFolder(t);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  await assert.rejects(Ledger.open({ dir, origin: ORIGIN, signers }), code("locked"));
  const module = new URL("./files/folder-lock.ts", import.meta.url).href;
  const script = `const { lockFolder } = await import(${JSON.stringify(module)});
    await lockFolder(${JSON.stringify(dir)}).then(() => console.log("taken"), (error) => console.log(error.code));`;
  const run = () =>
    spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }).stdout.trim();
  assert.equal(run(), "locked");
  await ledger.close();
  assert.equal(run(), "taken");
  // That process ended without releasing: its lock is a dead one's.
  await (await Ledger.open({ dir, origin: ORIGIN, signers })).close();
});

test("a ledger can be read and proven from while another holds it", async (t) => {
  const dir = await temporaryFolder(t);
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  for (const entry of sampleEntries(0, 300)) ledger.append(entry);
  const { checkpoint, note } = await ledger.seal();
  ledger.append(sampleEntry(300));
  await ledger.flush();
  const { log, latest } = await openForReading(dir);
  assert.equal(log.size, 301);
  assert.equal(latest?.note, note);
  verifyInclusion(299, 300, hashLeaf(sampleEntry(299)), await log.inclusionProof(299, 300), checkpoint.root);
  await log.close();
  await ledger.close();
  await assert.rejects(openForReading(await temporaryFolder(t)), code("format-unknown"));
});

test("a lock of an earlier boot is taken over, even if its process id lives", async (t) => {
  const dir = await temporaryFolder(t);
  await writeFile(join(dir, `lock.deadbeef.${process.pid}.1.1`), "");
  const ledger = await Ledger.open({ dir, origin: ORIGIN, signers });
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith("lock.deadbeef")),
    [],
  );
  await ledger.close();
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith("lock.")),
    [],
  );
});

test("a closed ledger says so", async (t) => {
  const ledger = await Ledger.open({ dir: await temporaryFolder(t), origin: ORIGIN, signers });
  const { committed } = ledger.append(sampleEntry(0));
  await ledger.close();
  await committed;
  assert.throws(() => ledger.append(sampleEntry(1)), code("closed"));
  await assert.rejects(ledger.seal(), code("closed"));
});

test("another origin in the folder is refused", async (t) => {
  const dir = await temporaryFolder(t);
  await (await Ledger.open({ dir, origin: ORIGIN, signers })).close();
  await assert.rejects(Ledger.open({ dir, origin: "tally.test/other", signers }), code("wrong-origin"));
});

function flaky() {
  const signer = signers[0]!;
  let calls = 0;
  return {
    key: signer.key,
    sign: (...args: Parameters<typeof signer.sign>) => {
      calls += 1;
      return calls === 1 ? Promise.reject(new Error("the token is not there")) : signer.sign(...args);
    },
  };
}
