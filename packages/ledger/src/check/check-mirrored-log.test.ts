import assert from "node:assert/strict";
import { copyFile, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { utf8 } from "@tally/evidence";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { keySets, startMirror } from "../testing/test-mirror.ts";
import { keySetOf, testSigners } from "../testing/test-signers.ts";
import { formatAddCheckpointBody } from "../witness/index.ts";
import { checkMirroredLog, type MirroredCheckOptions } from "./check-mirrored-log.ts";

/** The folder of a log that a mirror holds 300 entries of, with a conflict and a pending checkpoint of 310; and of another log. */
async function mirroredLogs(t: TestContext) {
  const folder = await temporaryFolder(t);
  const origins = ["tally.test/plane/d/aa/0", "tally.test/plane/d/bb/0"];
  const signers = origins.map((origin) => testSigners(origin, [1, 6]));
  const dir = join(folder, "mirror");
  const sets = keySets(...origins.map((origin, i) => [origin, keySetOf(signers[i]!)] as [string, MirroredKeys]));
  const { url, mirror, witness, cosigner, stop } = await startMirror(t, { dir, keySets: sets });
  for (const [i, own] of signers.entries()) {
    const device = await TestDevice.open(join(folder, `device-${i}`), own);
    await device.growTo(300, (index) => utf8(`entry ${index} of ${i}`));
    assert.equal((await device.sync(url)).status, "mirrored");
    const { note } = await device.growTo(310);
    const proof = await device.ledger.consistencyProof(300, 310);
    assert.equal((await mirror.addCheckpoint(utf8(formatAddCheckpointBody({ old: 300, proof, note })))).status, 200);
    await device.close();
    const fork = await TestDevice.open(join(folder, `fork-${i}`), own);
    const forged = await fork.growTo(310, (index) => utf8(`another history ${index}`));
    const body = { old: 310, proof: [], note: forged.note };
    assert.equal((await mirror.addCheckpoint(utf8(formatAddCheckpointBody(body)))).status, 422);
    await fork.close();
  }
  await stop();
  const logs = (await readdir(join(dir, "logs"))).map((hash) => join(dir, "logs", hash));
  const ofFirst: MirroredCheckOptions = { keySet: keySetOf(signers[0]!) };
  const reports = await Promise.all(logs.map((log) => checkMirroredLog(log, ofFirst)));
  const [first, other] = reports[0]!.origin === origins[0] ? logs : [...logs].reverse();
  const cosigners = { witness: witness.map(({ key }) => key), mirror: cosigner.map(({ key }) => key) };
  return { dir: first!, other: other!, options: { ...ofFirst, cosigners } };
}

type MirroredKeys = ReturnType<typeof keySetOf>;

const FILES = [
  "pending.json",
  "mirrored.json",
  "log/log.json",
  "log/entries",
  "log/commits",
  "log/hashes",
  "log/tiles",
];

test("a mirrored log is whole, its notes by the device's keys and its heads by the mirror's", async (t) => {
  const { dir, options } = await mirroredLogs(t);
  const { ok, size, signedSize, signatures, problems } = await checkMirroredLog(dir, options);
  assert.deepEqual(problems, []);
  assert.deepEqual([ok, size, signedSize, signatures], [true, 300, 300, "good"]);
  assert.equal((await checkMirroredLog(dir)).signatures, "not-checked");
});

test("a mirrored log: a byte flipped, a file cut or deleted is found and named", async (t) => {
  const { dir, options } = await mirroredLogs(t);
  const blamed = async () => [...new Set((await checkMirroredLog(dir, options)).problems.map(({ where }) => where))];
  for (const name of FILES) {
    const path = join(dir, name);
    const good = await readFile(path);
    const step = Math.max(1, Math.floor(good.length / 12));
    for (let at = 0; at < good.length; at += step) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0x10;
      await writeFile(path, bad);
      assert.ok((await blamed()).includes(name), `${name}, byte ${at}: ${await blamed()}`);
    }
    await writeFile(path, good);
    await truncate(path, Math.floor(good.length / 2));
    assert.deepEqual(await blamed(), [name], `${name} cut`);
    await rm(path);
    if (name !== "mirrored.json") assert.deepEqual(await blamed(), [name], `${name} deleted`);
    await writeFile(path, good);
  }
  const [conflict] = await readdir(join(dir, "conflicts"));
  await truncate(join(dir, "conflicts", conflict!), 100);
  assert.deepEqual(await blamed(), ["conflicts"]);
});

test("a mirrored log: another log's file in the place of its own is named", async (t) => {
  const { dir, other, options } = await mirroredLogs(t);
  for (const name of FILES) {
    const good = await readFile(join(dir, name));
    await copyFile(join(other, name), join(dir, name));
    const blamed = (await checkMirroredLog(dir, options)).problems.map(({ where }) => where);
    assert.ok(blamed.includes(name), `${name}: ${blamed}`);
    await writeFile(join(dir, name), good);
  }
});
