import assert from "node:assert/strict";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { advanceRun, decodeEntry, type Entry, gapReasons, type RunState } from "@tally/evidence";
import { checkLedger } from "@tally/ledger";
import { type Device, openDevice } from "../device.ts";
import { EdgeError } from "../error.ts";
import { enrolledFolder, temporaryFolder } from "../testing/device-folders.ts";
import { SmallDisk } from "../testing/small-disk.ts";

const root = await temporaryFolder(after);
const isFull = (error: unknown) => error instanceof EdgeError && error.code === "storage-full";

async function entriesOf({ core: { ledger } }: Device): Promise<Entry[]> {
  await ledger.flush();
  const entries: Entry[] = [];
  let run: RunState | undefined;
  for await (const bytes of ledger.entries(0, ledger.size)) {
    const entry = decodeEntry(bytes);
    run = advanceRun(run, entry);
    entries.push(entry);
  }
  return entries;
}

async function open(name: string, release: "committed" | "immediate" | "sealed") {
  const dir = await enrolledFolder(join(root, name), { release, capture: "full" });
  const disk = new SmallDisk();
  const device = await openDevice({ dir, files: disk.files });
  const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
  const record = (text: string) => device.record({ model, input: text, output: text });
  return { dir, disk, device, record };
}

for (const release of ["committed", "sealed"] as const) {
  test(`a full disk blocks outputs in ${release} mode with a clear error, and when it empties the device goes on`, async () => {
    const { dir, disk, device, record } = await open(`full-${release}`, release);
    const kept = [await record("before")];
    disk.capacity = disk.used + 50;
    for (let i = 0; i < 5; i += 1) {
      await assert.rejects(
        record(`refused ${i}`),
        (error: EdgeError) => isFull(error) && /room/.test(error.hint ?? ""),
      );
    }
    disk.capacity = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i += 1) kept.push(await record(`after ${i}`));
    const entries = await entriesOf(device);
    for (const { index, loadIndex, ordinal } of kept) {
      const entry = entries[index];
      assert.ok(entry?.kind === "inference" && entry.loadIndex === loadIndex && entry.ordinal === ordinal);
    }
    assert.equal(entries.filter(({ kind }) => kind === "gap").length, 0, "nothing was released, so nothing is missing");
    await device.close();
    assert.deepEqual((await checkLedger(join(dir, "journal"))).problems, []);
  });
}

test("a full disk in immediate mode: what was released and is lost is told in a counted gap, from the room kept for it", async () => {
  const { dir, disk, device, record } = await open("full-immediate", "immediate");
  const sure = await record("before");
  await device.core.ledger.flush();
  disk.capacity = disk.used + 50;
  const released = await Promise.all(Array.from({ length: 30 }, (_, i) => record(`out ${i}`)));
  await assert.rejects(device.core.ledger.flush());
  // The disk is as full as before: the gap is written all the same, and nothing more is released.
  await assert.rejects(record("refused"), isFull);
  const told = (await entriesOf(device)).at(-1);
  assert.ok(told?.kind === "gap");
  assert.equal(told.reason, gapReasons["storage-full"]);
  assert.ok(told.atMost >= released.length && told.atMost <= 1024, `at most ${told.atMost}`);
  await assert.rejects(record("refused again"), isFull);

  disk.capacity = Number.POSITIVE_INFINITY;
  const next = await record("after");
  await device.core.ledger.flush();
  const entries = await entriesOf(device);
  assert.equal(entries.filter(({ kind }) => kind === "gap").length, 1);
  assert.ok(next.index > told.to && told.from >= sure.index);
  const load = entries[next.loadIndex];
  assert.ok(load?.kind === "load" && next.ordinal === 0, "the model in use has a load of its own in the new run");
  await device.close();
  assert.deepEqual((await checkLedger(join(dir, "journal"))).problems, []);
});

test("a disk that fills and empties again and again: one gap each time, and every record that was safe is there", async () => {
  const { dir, disk, device, record } = await open("again", "immediate");
  const safe: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < 40; i += 1) safe.push((await record(`${round}.${i}`)).index);
    await device.core.ledger.flush();
    disk.capacity = disk.used + round * 100;
    await Promise.all(Array.from({ length: 20 }, (_, i) => record(`lost ${round}.${i}`)));
    await assert.rejects(device.core.ledger.flush());
    await assert.rejects(record("refused"), isFull);
    disk.capacity = Number.POSITIVE_INFINITY;
  }
  await record("the last");
  const entries = await entriesOf(device);
  assert.equal(entries.filter(({ kind }) => kind === "gap").length, 5);
  for (const index of safe) assert.equal(entries[index]?.kind, "inference");
  await device.close();
  assert.deepEqual((await checkLedger(join(dir, "journal"))).problems, []);
});

test("a disk whose syncs fail is no full disk: the gap says so", async () => {
  const { disk, device, record } = await open("broken", "immediate");
  disk.broken = true;
  await record("out");
  await assert.rejects(device.core.ledger.flush());
  await assert.rejects(record("refused"), { code: "record-failed" });
  disk.broken = false;
  await record("after");
  const gap = (await entriesOf(device)).find(({ kind }) => kind === "gap");
  assert.ok(gap?.kind === "gap" && gap.reason === gapReasons["storage-failed"] && gap.atMost === 1);
  await device.close();
});

test("contents that could not be kept while the disk was full are kept again afterwards", async () => {
  const { disk, device, record } = await open("captured", "committed");
  disk.capacity = disk.used;
  await assert.rejects(record("refused"), isFull);
  disk.capacity = Number.POSITIVE_INFINITY;
  const { index } = await record("after");
  const entry = (await entriesOf(device))[index];
  assert.ok(entry?.kind === "inference" && entry.captureLevel === 1);
  const payloads = await Array.fromAsync(device.core.payloads.read(index, index + 1));
  assert.equal(payloads.length, 2);
  await device.close();
});

test("records of a data subject are made again, without a restart, once the disk takes writes again", async (t) => {
  const { dir, disk, device } = await open("subjects", "committed");
  const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
  const record = (subject: string) => device.record({ model, input: "in", output: "out", subject });
  await record("a");
  const handle = await openFile(join(dir, "config.json"));
  const broken = t.mock.method(Object.getPrototypeOf(handle) as typeof handle, "datasync", async () => {
    throw Object.assign(new Error("EIO: datasync"), { code: "EIO" });
  });
  await handle.close();
  disk.broken = true;
  await assert.rejects(record("b"), { code: "record-failed" });
  await assert.rejects(device.record({ model, input: "in", output: "out" }), { code: "record-failed" });
  await assert.rejects(record("a"), { code: "record-failed" });
  disk.broken = false;
  broken.mock.restore();
  const { index } = await record("b");
  const entry = (await entriesOf(device))[index];
  assert.ok(entry?.kind === "inference");
  assert.ok((await device.core.salts.read(entry.input.slot)) !== undefined);
  await device.erase({ subject: "b" });
  assert.equal(await device.core.salts.read(entry.input.slot), undefined);
  await device.close();
  assert.deepEqual((await checkLedger(join(dir, "journal"))).problems, []);
});
