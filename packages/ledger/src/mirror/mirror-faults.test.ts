import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { utf8 } from "@tally/evidence";
import { checkMirroredLog } from "../check/index.ts";
import { type Files, nodeFiles } from "../files/index.ts";
import { faultyFiles, OneFault } from "../testing/faulty-files.ts";
import { PowerCut, SimulatedDisk, seededRandom } from "../testing/simulated-disk.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { cosignerKeys } from "../testing/test-mirror.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";
import { formatAddCheckpointBody } from "../witness/index.ts";
import { Mirror } from "./mirror.ts";
import { formatPackage, formatUploadHeader, packageRanges } from "./upload-body.ts";

const [witness, cosigner] = ["witness", "mirror"].map((name) => cosignerKeys(`tally.test/${name}`).slice(0, 1)) as [
  ReturnType<typeof cosignerKeys>,
  ReturnType<typeof cosignerKeys>,
];
const SIZES = [20, 300, 600] as const;

/** Ready-made requests of one device that grows over SIZES, and of an attacker with its keys. */
async function prepare(t: TestContext) {
  const folder = await temporaryFolder(t);
  const signers = testSigners();
  const device = await TestDevice.open(join(folder, "device"), signers);
  const attacker = await TestDevice.open(join(folder, "attacker"), signers);
  const notes = new Map<number, string>();
  for (const size of SIZES) notes.set(size, (await device.growTo(size)).note);
  const forged = await attacker.growTo(333, (index) => utf8(`another history ${index}`));
  t.after(() => Promise.all([device.close(), attacker.close()]));

  const checkpoint = async (old: number, size: number) =>
    utf8(
      formatAddCheckpointBody({ old, proof: await device.ledger.consistencyProof(old, size), note: notes.get(size)! }),
    );
  const entries = async function* (start: number, end: number, packages = Number.POSITIVE_INFINITY) {
    yield formatUploadHeader({ origin: ORIGIN, start, end, ticket: new Uint8Array(0) });
    for (const range of packageRanges(start, end).take(packages)) {
      const part = await Array.fromAsync(device.ledger.entries(range.start, range.end));
      yield formatPackage(part, await device.ledger.subtreeConsistencyProof(range.aligned, range.end, end));
    }
  };
  const fork = utf8(
    formatAddCheckpointBody({ old: 300, proof: await attacker.ledger.consistencyProof(300, 333), note: forged.note }),
  );
  const open = (files: Files, dir: string) =>
    Mirror.open({ dir, files, witness, mirror: cosigner, keySet: () => keySetOf(signers), onConflict: async () => {} });
  return { folder, device, checkpoint, entries, fork, open };
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

interface Acknowledged {
  pending: number;
  nextEntry: number;
  mirrored: number;
  conflicts: number;
}

const steps = ({
  checkpoint,
  entries,
  fork,
}: Prepared): ((mirror: Mirror, done: Acknowledged) => Promise<number>)[] => [
  async (mirror, done) => {
    const { status } = await mirror.addCheckpoint(await checkpoint(0, 20));
    done.pending = 20;
    return status;
  },
  async (mirror, done) => {
    const { status } = await mirror.addEntries(entries(0, 20));
    done.nextEntry = done.mirrored = 20;
    return status;
  },
  async (mirror, done) => {
    const { status } = await mirror.addCheckpoint(await checkpoint(20, 300));
    done.pending = 300;
    return status;
  },
  async (mirror, done) => {
    const { status } = await mirror.addCheckpoint(fork);
    done.conflicts = 1;
    return status;
  },
  async (mirror, done) => {
    const { status } = await mirror.addEntries(entries(20, 300, 1));
    done.nextEntry = 256;
    return status;
  },
  async (mirror, done) => {
    const { status } = await mirror.addEntries(entries(256, 300));
    done.nextEntry = done.mirrored = 300;
    return status;
  },
];
const EXPECTED = [200, 200, 200, 422, 202, 200];

/** Whatever was acknowledged is there, what is there is right, and the device can go on. */
async function expectIntact(prepared: Prepared, mirror: Mirror, done: Acknowledged, where: string): Promise<void> {
  const { device, checkpoint, entries } = prepared;
  const log = mirror.log(ORIGIN);
  const held = { pending: log?.pending?.checkpoint.size ?? 0, mirrored: log?.mirrored?.checkpoint.size ?? 0 };
  assert.ok(held.pending >= done.pending, `${where}: pending ${held.pending} of ${done.pending}`);
  assert.ok(held.mirrored >= done.mirrored, `${where}: mirrored ${held.mirrored} of ${done.mirrored}`);
  assert.ok((log?.nextEntry ?? 0) >= done.nextEntry, `${where}: entries ${log?.nextEntry} of ${done.nextEntry}`);
  assert.ok((await mirror.conflicts(ORIGIN)).length >= done.conflicts, `${where}: conflicts`);
  assert.ok((log?.nextEntry ?? 0) >= held.mirrored, where);
  if (log !== undefined && log.size > 0) assert.deepEqual(await log.root(), await device.ledger.root(log.size), where);
  assert.equal((await mirror.addCheckpoint(await checkpoint(held.pending, 600))).status, 200, where);
  assert.equal((await mirror.addEntries(entries(log?.nextEntry ?? 0, 600))).status, 200, where);
  assert.deepEqual(await mirror.log(ORIGIN)!.root(600), await device.ledger.root(600), where);
}

test("power lost at any operation: what a mirror answered is there, and the device goes on", async (t) => {
  const prepared = await prepare(t);
  const work = async (disk: SimulatedDisk, done: Acknowledged) => {
    const mirror = await prepared.open(disk, "/mirror");
    const statuses: number[] = [];
    for (const step of steps(prepared)) {
      const before = { ...done };
      const status = await step(mirror, done).catch((error: unknown) => {
        Object.assign(done, before);
        throw error;
      });
      statuses.push(status);
    }
    assert.deepEqual(statuses, EXPECTED);
    await mirror.close();
  };
  const none = () => ({ pending: 0, nextEntry: 0, mirrored: 0, conflicts: 0 });
  const rehearsal = new SimulatedDisk();
  await work(rehearsal, none());
  for (let cut = 0; cut < rehearsal.operations; cut += 1) {
    for (let seed = 0; seed < 3; seed += 1) {
      const disk = new SimulatedDisk();
      disk.cutAt = cut;
      const done = none();
      await assert.rejects(work(disk, done), isPowerCut);
      const again = await prepared.open(disk.afterPowerCut(seededRandom(1000 * cut + seed)), "/mirror");
      await expectIntact(prepared, again, done, `cut ${cut} seed ${seed}`);
      await again.close();
    }
  }
});

for (const code of ["EIO", "ENOSPC"] as const) {
  test(`a disk that fails once with ${code}, at any operation, costs one request and no evidence`, async (t) => {
    const prepared = await prepare(t);
    let failures = 0;
    for (let at = 0; ; at += 1) {
      const fault = new OneFault(at, code, false);
      const mirror = await prepared.open(faultyFiles(fault.plan), join(prepared.folder, `mirror-${at}`));
      fault.arm();
      const done: Acknowledged = { pending: 0, nextEntry: 0, mirrored: 0, conflicts: 0 };
      let failed = false;
      for (const [i, step] of steps(prepared).entries()) {
        const status = await step(mirror, done).catch(async () => {
          failed = true;
          return step(mirror, done);
        });
        // A step that failed after it had taken effect is answered as a repetition.
        if (!failed) assert.equal(status, EXPECTED[i]);
        if (failed && status === 409) await repair(prepared, mirror);
      }
      fault.disarm();
      await expectIntact(prepared, mirror, done, `${code} at ${at}, ${fault.fired}`);
      await mirror.close();
      const [log] = await nodeFiles.list(join(prepared.folder, `mirror-${at}`, "logs"));
      const dir = join(prepared.folder, `mirror-${at}`, "logs", log!);
      const report = await checkMirroredLog(dir, { keySet: keySetOf(prepared.device.signers) });
      assert.deepEqual([report.problems, report.signatures], [[], "good"], `${code} at ${at}, ${fault.fired}`);
      if (!failed) break;
      failures += 1;
    }
    assert.ok(failures > 30, String(failures));
  });
}

async function repair({ checkpoint, entries }: Prepared, mirror: Mirror): Promise<void> {
  const log = mirror.log(ORIGIN)!;
  const size = log.pending!.checkpoint.size;
  assert.equal((await mirror.addCheckpoint(await checkpoint(size, size))).status, 200);
  assert.equal((await mirror.addEntries(entries(log.nextEntry, size))).status, 200);
}

test("a folder that cannot be read takes only its own log down", async (t) => {
  const { folder, open, checkpoint, entries } = await prepare(t);
  const dir = join(folder, "mirror");
  const first = await open(nodeFiles, dir);
  await first.addCheckpoint(await checkpoint(0, 20));
  await first.addEntries(entries(0, 20));
  await first.close();
  const other = testSigners("tally.test/other");
  const [hash] = await nodeFiles.list(join(dir, "logs"));
  const broken = await nodeFiles.open(join(dir, "logs", hash!, "mirrored.json"), "write");
  await broken.write(utf8("{"), 40);
  await broken.close();

  const keySet = (origin: string) => (origin === ORIGIN ? keySetOf(testSigners()) : keySetOf(other));
  const again = await Mirror.open({ dir, witness, mirror: cosigner, keySet, onConflict: async () => {} });
  t.after(() => again.close());
  assert.deepEqual(again.origins(), []);
  await assert.rejects(async () => again.addCheckpoint(await checkpoint(20, 300)), { code: "damaged" });
  const device = await TestDevice.open(join(folder, "other"), other);
  t.after(() => device.close());
  const { note } = await device.growTo(3);
  assert.equal((await again.addCheckpoint(utf8(formatAddCheckpointBody({ old: 0, proof: [], note })))).status, 200);
});

test("a mirror whose pending checkpoint was deleted does not let the log begin anew", async (t) => {
  const { folder, open, checkpoint, entries } = await prepare(t);
  const dir = join(folder, "mirror");
  const first = await open(nodeFiles, dir);
  await first.addCheckpoint(await checkpoint(0, 20));
  await first.addEntries(entries(0, 20));
  await first.close();
  const [hash] = await nodeFiles.list(join(dir, "logs"));
  await nodeFiles.remove(join(dir, "logs", hash!, "pending.json"));
  const again = await open(nodeFiles, dir);
  t.after(() => again.close());
  await assert.rejects(async () => again.addCheckpoint(await checkpoint(0, 300)), { code: "damaged" });
});

test("a mirror whose two cosigners share a name or a key does not start", async (t) => {
  const dir = join(await temporaryFolder(t), "mirror");
  const [a] = cosignerKeys("tally.test/a");
  const options = { dir, keySet: () => undefined, onConflict: async () => {} };
  await assert.rejects(Mirror.open({ ...options, witness: [a!], mirror: [a!] }), { code: "signing-refused" });
  const sameKey = { ...a!, key: { ...a!.key, name: "tally.test/b" } };
  await assert.rejects(Mirror.open({ ...options, witness: [a!], mirror: [sameKey] }), { code: "signing-refused" });
  const sameName = cosignerKeys("tally.test/a").slice(0, 1);
  await assert.rejects(Mirror.open({ ...options, witness: [a!], mirror: sameName }), { code: "signing-refused" });
});

function isPowerCut(error: unknown): boolean {
  if (error instanceof PowerCut) return true;
  return error instanceof Error && error.cause !== undefined && isPowerCut(error.cause);
}
