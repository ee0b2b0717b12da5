import assert from "node:assert/strict";
import { test } from "node:test";
import { hashLeaf, rootOf, utf8 } from "@tally/evidence";
import { checkLedger } from "./check/check-ledger.ts";
import { LedgerError } from "./error.ts";
import { Ledger } from "./ledger.ts";
import { isDiskFull } from "./reserve.ts";
import { type FaultyOperation, faultyFiles } from "./testing/faulty-files.ts";
import { sampleEntries } from "./testing/sample-entries.ts";
import { SimulatedDisk } from "./testing/simulated-disk.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { keySetOf, ORIGIN, testSigners } from "./testing/test-signers.ts";

const signers = testSigners();
const failed = (error: unknown) => error instanceof LedgerError && error.code === "write-failed";

for (const [operation, file, code] of [
  ["write", "entries", "ENOSPC"],
  ["write", "commits", "ENOSPC"],
  ["write", "hashes", "ENOSPC"],
  ["write", "tiles", "EIO"],
  ["sync", "entries", "EIO"],
  ["sync", "commits", "EIO"],
] as const) {
  test(`${code} on ${operation} of ${file}: nothing more is acknowledged until the ledger is opened again`, async (t) => {
    const dir = await temporaryFolder(t);
    let failing = false;
    const files = faultyFiles((op, name) => (failing && op === operation && name === file ? code : undefined));
    const ledger = await Ledger.open({ dir, origin: ORIGIN, signers, files });
    for (const entry of sampleEntries(0, 200)) ledger.append(entry);
    await ledger.seal();

    failing = true;
    const lost = sampleEntries(200, 300).map((entry) => ledger.append(entry).committed);
    for (const result of await Promise.allSettled(lost)) {
      assert.equal(result.status, "rejected");
      assert.ok(failed(result.reason));
      assert.equal((result.reason.cause as NodeJS.ErrnoException).code, code);
    }
    failing = false;
    assert.throws(() => ledger.append(sampleEntries(200, 201)[0]!), failed);
    await assert.rejects(ledger.seal(), failed);
    assert.equal(ledger.committedSize, 200);
    assert.deepEqual(await ledger.root(), rootOf(sampleEntries(0, 200).map(hashLeaf)));
    await assert.rejects(ledger.close(), failed);

    const again = await Ledger.open({ dir, origin: ORIGIN, signers });
    assert.equal(again.damage, undefined);
    const { size } = again;
    assert.ok(size === 200 || size === 300, `whole or absent, not ${size}`);
    for (const entry of sampleEntries(size, 310)) again.append(entry);
    assert.deepEqual((await again.seal()).checkpoint.root, rootOf(sampleEntries(0, 310).map(hashLeaf)));
    await again.close();
    assert.equal((await checkLedger(dir, { keySet: keySetOf(signers) })).ok, true);
  });
}

const sealFaults: readonly (readonly [FaultyOperation, string | undefined])[] = [
  ["sync", "hashes"],
  ["sync", "tiles"],
  ["write", "checkpoint.tmp"],
  ["sync", "checkpoint.tmp"],
  ["rename", "checkpoint"],
  ["sync-directory", undefined],
];

for (const [operation, file] of sealFaults) {
  test(`EIO on ${operation} ${file ?? "of the folder"} while sealing: no checkpoint is handed out`, async (t) => {
    const dir = await temporaryFolder(t);
    let failing = false;
    const files = faultyFiles((op, name) =>
      failing && op === operation && (file === undefined || name === file) ? "EIO" : undefined,
    );
    const ledger = await Ledger.open({ dir, origin: ORIGIN, signers, files });
    for (const entry of sampleEntries(0, 100)) ledger.append(entry);
    const first = await ledger.seal();
    for (const entry of sampleEntries(100, 400)) ledger.append(entry);
    await ledger.flush();

    failing = true;
    await assert.rejects(ledger.seal(), failed);
    failing = false;
    assert.equal(ledger.latest, first);
    await assert.rejects(ledger.seal(), failed);
    assert.throws(() => ledger.append(sampleEntries(400, 401)[0]!), failed);
    await ledger.close();

    const again = await Ledger.open({ dir, origin: ORIGIN, signers });
    assert.equal(again.damage, undefined);
    assert.equal((await again.seal()).checkpoint.size, 400);
    await again.close();
    assert.equal((await checkLedger(dir, { keySet: keySetOf(signers) })).ok, true);
  });
}

test("a failing disk is reported to the callers that wait and to those that come later, once nobody waits too", async (t) => {
  let failing = false;
  const files = faultyFiles((op) => (failing && op === "sync" ? "EIO" : undefined));
  const ledger = await Ledger.open({ dir: await temporaryFolder(t), origin: ORIGIN, signers, files });
  failing = true;
  ledger.append(sampleEntries(0, 1)[0]!);
  await assert.rejects(ledger.flush(), failed);
  await assert.rejects(ledger.flush(), failed);
  await assert.rejects(ledger.close(), failed);
});

test("a full disk still takes an entry that says so, in the room that was kept for it", async () => {
  const disk = new SimulatedDisk();
  const options = { dir: "/ledger", origin: ORIGIN, signers, files: disk };
  const ledger = await Ledger.open(options);
  for (const entry of sampleEntries(0, 100)) ledger.append(entry);
  await ledger.seal();
  disk.capacity = disk.used + 100;
  await assert.rejects(ledger.append(new Uint8Array(200)).committed, (error) => failed(error) && isDiskFull(error));
  await assert.rejects(ledger.close(), failed);

  const full = await Ledger.open(options);
  await assert.rejects(full.append(new Uint8Array(200)).committed, failed);
  await assert.rejects(full.close(), failed);

  const told = await Ledger.open({ ...options, reserve: "use" });
  await told.append(utf8("the disk is full")).committed;
  assert.equal((await told.seal()).checkpoint.size, 101);
  await told.close();

  disk.capacity = Number.POSITIVE_INFINITY;
  const before = disk.used;
  await (await Ledger.open(options)).close();
  assert.ok(disk.used - before >= 65_536);
});
