import assert from "node:assert/strict";
import { cp, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, beforeEach, test } from "node:test";
import {
  decodeEntry,
  decodeEntryBundle,
  type Entry,
  equalBytes,
  eventCodes,
  Frontier,
  type Genesis,
  hashLeaf,
  parseDigest,
} from "@tally/evidence";
import { openForReading } from "@tally/ledger";
import { type Device, openDevice } from "../device.ts";
import { EdgeError, type EdgeErrorCode } from "../error.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";

const root = await temporaryFolder(after);
let count = 0;
let plane: LoopbackPlane;
const planes: LoopbackPlane[] = [];
after(async () => {
  for (const each of planes) await each.close();
});

beforeEach(async () => {
  plane = await LoopbackPlane.open(join(root, `plane-${count++}`));
  planes.push(plane);
});

const freshDir = () => join(root, `device-${count++}`);

function throwsCode(code: EdgeErrorCode, message = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof EdgeError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

async function records(device: Device, number: number): Promise<void> {
  const model = await device.declare({ grade: "declared", runtime: "by hand", provider: "none" });
  for (let i = 0; i < number; i++) await device.record({ model, input: `${i}`, output: "x" });
}

async function entriesOf({ core: { ledger } }: Device): Promise<Entry[]> {
  await ledger.flush();
  const entries: Entry[] = [];
  for await (const bytes of ledger.entries(0, ledger.size)) entries.push(decodeEntry(bytes));
  return entries;
}

/** A folder as a backup has it: what was there once, without the lock of whoever had it open. */
async function backUp(dir: string): Promise<string> {
  const copy = freshDir();
  await cp(dir, copy, { recursive: true, filter: (path) => !basename(path).startsWith("lock.") });
  return copy;
}

async function restore(backup: string, dir: string): Promise<void> {
  await rm(dir, { recursive: true });
  await cp(backup, dir, { recursive: true });
}

/** A device that synced, was backed up, recorded and synced on, and whose folder is the backup again. */
async function restoredDevice(before = 5, later = 600): Promise<{ dir: string; mirrored: number }> {
  const dir = await enrolDevice(plane, freshDir());
  const first = await openDevice({ dir });
  await records(first, before);
  await first.sync();
  await first.close();
  const backup = await backUp(dir);
  const second = await openDevice({ dir });
  await records(second, later);
  const { mirrored } = await second.sync();
  await second.close();
  await restore(backup, dir);
  return { dir, mirrored };
}

test("a restored old copy fetches its own entries back, logs that it was restored, and goes on", async () => {
  const { dir, mirrored } = await restoredDevice();
  const device = await openDevice({ dir });
  const entries = await entriesOf(device);
  assert.deepEqual(
    entries.slice(mirrored).map(({ kind }) => kind),
    ["restart", "event"],
  );
  const event = entries.at(-1);
  assert.ok(event?.kind === "event" && event.code === eventCodes.restored);
  assert.equal(event.fields.get(1), mirrored);
  await records(device, 3);
  const { mirrored: now } = await device.sync();
  assert.equal(now, device.core.ledger.size);
  assert.deepEqual(plane.conflicts, []);
  await device.close();
  // Said once: the next start finds nothing to fetch.
  const again = await openDevice({ dir });
  assert.equal((await entriesOf(again)).filter(({ kind }) => kind === "event").length, 1);
  await again.close();
});

test("salts of what was fetched back are gone, and their slots are given to nobody", async () => {
  const { dir, mirrored } = await restoredDevice(3, 3000);
  const device = await openDevice({ dir });
  await records(device, 2);
  const slots = (await entriesOf(device)).map((entry) => (entry.kind === "inference" ? entry.output.slot : -1));
  const used = new Set(slots.filter((slot) => slot >= 0));
  assert.equal(used.size, slots.filter((slot) => slot >= 0).length, "a slot was given twice");
  assert.equal(await device.core.salts.read(Math.max(...slots.slice(0, mirrored))), undefined);
  assert.notEqual(await device.core.salts.read(slots.at(-1)!), undefined);
  await device.close();
});

test("fetching back that was broken off goes on, and nothing is appended before it has ended", async () => {
  const { dir, mirrored } = await restoredDevice();
  let bundles = 0;
  plane.intercept = (request, response) => {
    if (!request.url?.includes("/tile/entries/") || ++bundles < 3) return false;
    response.destroy();
    return true;
  };
  await assert.rejects(openDevice({ dir }), throwsCode("unreachable"));
  plane.intercept = () => false;
  await plane.stop();
  await assert.rejects(openDevice({ dir }), throwsCode("behind", /lacks entries/));
  await plane.start();
  const device = await openDevice({ dir });
  const entries = await entriesOf(device);
  assert.equal(entries[mirrored]?.kind, "restart");
  const event = entries.at(-1);
  assert.ok(event?.kind === "event" && event.fields.get(0) !== undefined && Number(event.fields.get(0)) < 20);
  await device.close();
});

test("attack: a plane that gives a restored device other entries than it signed is not believed", async () => {
  const { dir } = await restoredDevice(5, 20);
  const path = join(dir, "journal");
  const size = async () => {
    const { log } = await openForReading(path);
    await log.close();
    return log.size;
  };
  const before = await size();
  plane.intercept = (request, response) => {
    if (!request.url?.includes("/tile/entries/")) return false;
    void plane.mirror.read(request.url.slice("/mirror/".length)).then(({ body }) => {
      const bytes = Buffer.from(body as Uint8Array);
      bytes[bytes.length - 1]! ^= 1;
      response.end(bytes);
    });
    return true;
  };
  await assert.rejects(openDevice({ dir }), throwsCode("plane-untrusted"));
  assert.equal(await size(), before);
});

test("an old copy that went on without its plane begins a new epoch, brings its branch, and waits for a person", async () => {
  const { dir, mirrored } = await restoredDevice(5, 300);
  await plane.stop();
  const offline = await openDevice({ dir });
  await records(offline, 400);
  const orphanSize = offline.core.ledger.size;
  const old = offline.origin;
  await offline.close();
  await plane.start();
  const device = await openDevice({ dir });
  assert.equal(device.origin, old.replace(/0$/, "1"));
  const [first] = (await entriesOf(device)) as [Genesis];
  assert.ok(first.kind === "genesis" && first.predecessor !== undefined);
  const held = plane.mirror.log(old)!;
  assert.equal(first.predecessor.mirroredSize, mirrored);
  assert.ok(equalBytes(first.predecessor.mirroredRoot, await held.root(mirrored)));
  assert.equal(first.predecessor.orphanSize, orphanSize);

  await records(device, 4);
  await assert.rejects(device.sync(), throwsCode("awaiting"));
  await assert.rejects(device.sync(), throwsCode("awaiting"));
  assert.deepEqual(plane.conflicts, []);
  const { orphan } = plane.awaiting.get(device.origin)!.request;
  assert.ok(orphan !== null && orphan.from < mirrored);
  const tree = Frontier.empty();
  for await (const bytes of held.entries(0, orphan.from)) tree.append(hashLeaf(bytes));
  for (const digest of orphan.bundles) {
    for (const entry of decodeEntryBundle(plane.blobs.get(parseDigest(digest))!)) tree.append(hashLeaf(entry));
  }
  assert.equal(tree.size, orphanSize);
  assert.ok(equalBytes(tree.root(), first.predecessor.orphanRoot));

  plane.accept(device.origin);
  const report = await device.sync();
  assert.equal(report.mirrored, device.core.ledger.size);
  await device.close();
});

test("an old copy that meets its plane while it runs stops signing, keeps recording, and starts anew", async () => {
  const { dir } = await restoredDevice(5, 50);
  await plane.stop();
  const offline = await openDevice({ dir });
  await records(offline, 5);
  await plane.start();
  await assert.rejects(offline.sync(), throwsCode("behind", /older copy/));
  await records(offline, 2);
  const size = offline.core.ledger.size;
  const signed = offline.core.ledger.latest?.checkpoint.size;
  await offline.close();
  const { latest, log } = await openForReading(join(dir, "journal"));
  await log.close();
  assert.deepEqual([latest?.checkpoint.size, log.size], [signed, size]);
  assert.deepEqual(plane.conflicts, []);
  const device = await openDevice({ dir });
  assert.match(device.origin, /\/1$/);
  const [first] = (await entriesOf(device)) as [Genesis];
  assert.equal(first.predecessor?.orphanSize, size);
  await device.close();
});
