import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { parseCheckpoint, parseTrust, type Readiness, verifyBundle } from "@tally/evidence";
import { checkLedger } from "@tally/ledger";
import { call, json } from "../testing/plane-client.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { startWitnessed, TestPlane } from "../testing/test-plane.ts";
import { backupPlane, restorePlane } from "./index.ts";

const program = new URL("../testing/run-plane.ts", import.meta.url).pathname;
const readiness = async (url: string) => json<Readiness>(await call(url, "GET", "/readyz"));

async function restoredFrom(t: TestContext, plane: TestPlane, from: string, options = {}): Promise<TestPlane> {
  const dir = `${plane.dir}-restored-${Math.random()}`;
  await restorePlane({ from, dir });
  const restored = new TestPlane(dir, options);
  t.after(() => restored.stop());
  await restored.start();
  return restored;
}

async function answerOf(url: string, token: string): Promise<Uint8Array> {
  const answer = await call(url, "GET", `/api/v1/audit?from=1&to=${Date.now() + 60_000}`, { token });
  assert.equal(answer.status, 200, answer.text.slice(0, 300));
  return answer.bytes;
}

async function verified(bundle: Uint8Array, trustText: string) {
  const report = await verifyBundle({ bundle, trust: parseTrust(trustText) });
  assert.deepEqual(
    report.checks.filter(({ result }) => result === "bad"),
    [],
  );
  return report;
}

async function runningPlane(t: TestContext, dir: string): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [url] = (await once(createInterface({ input: child.stdout! }), "line")) as [string];
  return { url, child };
}

test("a plane is backed up under load, destroyed and restored: devices bring back what the backup lacks, and old and new answers verify", async (t) => {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "plane");
  const { url, child } = await runningPlane(t, dir);
  const admin = (await readFile(join(dir, "admin.token"), "utf8")).trim();
  const address = {
    url,
    enrolmentToken: async () =>
      json<{ token: string }>(await call(url, "POST", "/api/v1/enrolment-tokens", { token: admin, body: {} })).token,
  };
  const devices = [
    await TestDevice.enrolled(address, join(folder, "one")),
    await TestDevice.enrolled(address, join(folder, "two")),
  ];
  t.after(() => Promise.all(devices.map((device) => device.close())));
  let stop = false;
  const load = devices.map(async (device) => {
    while (!stop) {
      for (let i = 0; i < 20; i += 1) await device.infer();
      assert.equal((await device.sync(address)).status, "mirrored");
    }
  });
  while (devices.some(({ ledger }) => ledger.size < 100)) await Promise.race([...load, new Promise(setImmediate)]);
  const trust = (await call(url, "GET", "/api/v1/trust", { token: admin })).text;
  const old = await answerOf(url, admin);
  const manifests = [];
  for (let n = 0; n < 3; n += 1) manifests.push(await backupPlane({ dir, to: join(folder, `backup-${n}`) }));
  stop = true;
  await Promise.all(load);
  child.kill("SIGKILL");
  await once(child, "exit");
  await rm(dir, { recursive: true });

  const oldRecords = (await verified(old, trust)).answer!.recordCount;
  assert.ok(oldRecords > 0);
  for (const [n, manifest] of manifests.entries()) {
    const again = join(folder, `restored-${n}`);
    await restorePlane({ from: join(folder, `backup-${n}`), dir: again });
    for (const log of ["log", "fleet"] as const) {
      const report = await checkLedger(join(again, "logs", log));
      assert.equal(report.ok, true, JSON.stringify(report));
      assert.equal(report.size, manifest.logs[log].size);
    }
  }
  // The devices have seen more than the last backup holds, and there is no witness: the operator takes that on himself.
  for (const device of devices) device.pinned = undefined;
  const restored = new TestPlane(join(folder, "restored-2"), { insecureSignWithoutDevices: true });
  t.after(() => restored.stop());
  await restored.start();
  assert.equal(restored.adminToken, admin, "people's tokens stay good");
  for (const device of devices) {
    assert.equal(
      (await call(restored.url, "GET", "/log/checkpoint", { token: await device.token(address) })).status,
      401,
    );
    await device.freshToken(restored);
    assert.equal((await device.sync(restored)).status, "mirrored");
    assert.equal(restored.plane.parts.mirror.log(device.origin)?.mirrored?.checkpoint.size, device.ledger.size);
  }
  await restored.seal();
  const fresh = await verified(await answerOf(restored.url, admin), trust);
  const made = devices.reduce((sum, { ledger }) => sum + ledger.size, 0);
  assert.ok(fresh.answer!.recordCount >= oldRecords && fresh.answer!.recordCount < made);
});

test("a restored plane that is simply equal goes on, once its witness has said so", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  const folder = await temporaryFolder(t);
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  await device.sync(plane);
  await plane.seal();
  const before = witness.size;
  await plane.stop();
  await backupPlane({ dir: plane.dir, to: join(folder, "backup") });
  const restored = await restoredFrom(t, plane, join(folder, "backup"), { witnessPolicy: witness.policy });
  await device.freshToken(restored);
  await device.infer();
  assert.equal((await device.sync(restored)).status, "mirrored");
  await restored.seal();
  assert.ok(witness.size > before);
  assert.deepEqual(
    (await readdir(restored.dir)).includes("restored.json"),
    false,
    "from here on a folder like any other",
  );
});

test("restore of a backup without a fork: the witness knows more, and nothing is signed", async (t) => {
  const { plane, witness } = await startWitnessed(t);
  const folder = await temporaryFolder(t);
  await backupPlane({ dir: plane.dir, to: join(folder, "backup") });
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  await plane.seal();
  const seen = witness.size;
  await plane.stop();
  const restored = await restoredFrom(t, plane, join(folder, "backup"), { witnessPolicy: witness.policy });
  const { log } = restored.plane.parts.logs;
  const signed = log.latest?.note;
  await assert.rejects(restored.seal(), { code: "refuses-to-sign" });
  assert.equal(log.latest?.note, signed);
  assert.equal(witness.size, seen);
});

test("restore of a backup without witnesses: the plane waits for its devices, and the one that has seen more stops it", async (t) => {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const [one, two] = [
    await TestDevice.enrolled(plane, join(folder, "one")),
    await TestDevice.enrolled(plane, join(folder, "two")),
  ];
  t.after(() => Promise.all([one.close(), two.close()]));
  for (const device of [one, two]) await device.sync(plane);
  await plane.seal();
  await backupPlane({ dir: plane.dir, to: join(folder, "backup") });
  for (const device of [one, two]) await device.infer();
  await one.sync(plane);
  await plane.seal();
  await one.sync(plane);
  const { size } = parseCheckpoint(one.pinned!).checkpoint;
  await plane.stop();

  const restored = await restoredFrom(t, plane, join(folder, "backup"));
  const { log } = restored.plane.parts.logs;
  const signed = log.latest?.note;
  await assert.rejects(restored.seal(), { code: "not-ready", message: /no witnesses.*have not shown/ });
  await two.freshToken(restored);
  await assert.rejects(
    restored.seal(),
    (error: Error) => error.message.includes(one.origin) && !error.message.includes(two.origin),
  );
  await one.freshToken(restored);
  const lost = new RegExp(`${one.origin} holds \\S+ at size ${size}.*entries ${log.size} to ${size - 1} are lost here`);
  await assert.rejects(restored.seal(), { code: "refuses-to-sign", message: lost, hint: /restore a later backup/ });
  assert.equal(log.latest?.note, signed);
  assert.match((await readiness(restored.url)).problem ?? "", lost);

  // It still knows after a restart, and whatever flag it is started with.
  await restored.stop();
  await restored.start({ insecureSignWithoutDevices: true });
  await assert.rejects(restored.seal(), { code: "refuses-to-sign" });

  // The way on: the folder with the entries that were lost.
  await plane.start();
  await one.freshToken(plane);
  await plane.seal();
  assert.equal((await readiness(plane.url)).ready, true);
});

test("restore of a backup without witnesses: once every device has shown that it has seen no more, the plane signs", async (t) => {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  await device.sync(plane);
  await plane.seal();
  await device.sync(plane);
  await backupPlane({ dir: plane.dir, to: join(folder, "backup") });
  await plane.stop();
  const restored = await restoredFrom(t, plane, join(folder, "backup"));
  await assert.rejects(restored.seal(), { code: "not-ready" });
  await restored.stop();
  await restored.start();
  await device.freshToken(restored);
  await device.infer();
  await device.sync(restored);
  await restored.seal();
  assert.equal((await readiness(restored.url)).ready, true);
});

test("attack: a checkpoint that the plane never signed stops nothing, and neither does an old one", async (t) => {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const device = await TestDevice.enrolled(plane, join(folder, "device"));
  t.after(() => device.close());
  const old = device.pinned!;
  await device.sync(plane);
  await plane.seal();
  const real = (await plane.call("GET", "/log/checkpoint")).text;
  for (const shown of [old, real.replace(/\n\d+\n/, "\n999999\n"), "no checkpoint", `${real}garbage`]) {
    device.pinned = shown;
    await device.freshToken(plane);
    await plane.seal();
  }
  assert.equal((await readiness(plane.url)).ready, true);
});

test("a damaged backup is refused, naming what is wrong, and half a restore is no plane", async (t) => {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const whole = join(folder, "whole");
  await backupPlane({ dir: plane.dir, to: whole });
  await plane.stop();
  const harm: Record<string, { do: (dir: string) => Promise<unknown>; says: RegExp }> = {
    altered: {
      do: (dir) => appendFile(join(dir, "plane", "logs", "log", "entries"), "x"),
      says: /logs\/log\/entries was altered/,
    },
    missing: {
      do: (dir) => rm(join(dir, "plane", "keys", "plane.ed25519.pem")),
      says: /plane\.ed25519\.pem is missing/,
    },
    "list shortened": {
      do: async (dir) => {
        const list = await readFile(join(dir, "files.jsonl"), "utf8");
        await writeFile(join(dir, "files.jsonl"), list.slice(0, list.lastIndexOf("\n", list.length - 2) + 1));
      },
      says: /files\.jsonl is not the one/,
    },
    "not whole": { do: (dir) => rm(join(dir, "backup.json")), says: /no whole backup/ },
  };
  for (const [name, { do: damage, says }] of Object.entries(harm)) {
    const from = join(folder, name);
    await cp(whole, from, { recursive: true });
    await damage(from);
    const dir = join(folder, `plane of ${name}`);
    await assert.rejects(restorePlane({ from, dir }), { code: "configuration", message: says });
    const begun = await stat(dir).catch(() => undefined);
    if (begun !== undefined) await assert.rejects(new TestPlane(dir, {}).start(), { code: "configuration" });
  }
  await mkdir(join(folder, "full"));
  await writeFile(join(folder, "full", "x"), "");
  await assert.rejects(restorePlane({ from: whole, dir: join(folder, "full") }), { message: /not empty/ });
  await assert.rejects(backupPlane({ dir: plane.dir, to: whole }), { message: /not empty/ });
  await assert.rejects(backupPlane({ dir: whole, to: join(folder, "other") }), { message: /holds no plane/ });
});

test("attack: a backup's list leads out of the folder", async (t) => {
  const plane = await TestPlane.start(t);
  const from = join(await temporaryFolder(t), "backup");
  await backupPlane({ dir: plane.dir, to: from });
  const { createHash } = await import("node:crypto");
  for (const path of ["../outside", "/etc/outside", "a/../../b", "a\\b", ""]) {
    const list = `${JSON.stringify({ path, size: 1, sha256: "0".repeat(64) })}\n`;
    await writeFile(join(from, "files.jsonl"), list);
    const manifest = JSON.parse(await readFile(join(from, "backup.json"), "utf8")) as object;
    const forged = { ...manifest, files: 1, list: createHash("sha256").update(list).digest("hex") };
    await writeFile(join(from, "backup.json"), JSON.stringify(forged));
    await assert.rejects(restorePlane({ from, dir: `${from}-restored` }), {
      code: "configuration",
      message: /a line that is none/,
    });
  }
});

test("a backup without keys holds no secret, says so, and is restored with the keys from elsewhere", async (t) => {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const from = join(folder, "backup");
  const manifest = await backupPlane({ dir: plane.dir, to: from, keys: false });
  assert.equal(manifest.keys, false);
  const names = await readdir(from, { recursive: true });
  assert.deepEqual(
    names.filter((name) => /\.pem$|admin\.token|ticket\.key/.test(name)),
    [],
  );
  const { adminToken } = plane;
  for (const name of names) {
    const path = join(from, name);
    if (!(await stat(path)).isFile()) continue;
    const bytes = await readFile(path);
    assert.ok(!bytes.includes("PRIVATE KEY") && !bytes.includes(adminToken), name);
  }
  await plane.stop();
  const dir = join(folder, "restored");
  await assert.rejects(restorePlane({ from, dir }), { message: /without the plane's keys/, hint: /--keys/ });
  await restorePlane({ from, dir, keys: join(plane.dir, "keys") });
  const restored = new TestPlane(dir, {});
  t.after(() => restored.stop());
  await restored.start();
  await restored.seal();
  assert.equal((await readiness(restored.url)).ready, true);
});
