import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openDevice } from "@tally/edge";
import { parseTrust } from "@tally/evidence";
import { RegistryClient, unpackModelKit } from "@tally/oci";
import { temporaryFolder } from "../../edge/src/testing/device-folders.ts";
import { enrolDevice } from "../../edge/src/testing/loopback-device.ts";
import { LoopbackPlane } from "../../edge/src/testing/loopback-plane.ts";
import { publishModel } from "../../edge/src/testing/publish-model.ts";
import { type FolderToVerify, verifySegment } from "./verify-segment.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
await publishModel(plane);
after(() => plane.close());

/** Evidence of another plane's ledgers, and the trust file that goes with it. */
const golden = fileURLToPath(new URL("../../evidence/testdata/golden/v1/", import.meta.url));
const foreign = join(golden, "one-model.tally");
const trust = parseTrust(await readFile(join(golden, "trust.json")));

const device = await openDevice({ dir: await enrolDevice(plane, join(root, "device"), { capture: "full" }) });
const session = await (await device.load("tiny:stable")).onnx();
for (let i = 0; i < 3; i++) await session.run({ features: { type: "float32", dims: [1, 4], data: [i, 2, 3, 4] } });
await device.sync();
const [segment] = await device.packSegments();
await device.close();
let count = 0;

async function folder(): Promise<string> {
  const into = join(root, `segment-${count++}`);
  const source = new RegistryClient({ url: plane.url, repository: "tiny" });
  await unpackModelKit({ source, reference: segment!.artifact, into });
  return into;
}

async function verified(wanted: Pick<FolderToVerify, "folder"> & Partial<FolderToVerify>) {
  const { outcome, checks, rows } = await verifySegment({
    evidence: [],
    trust: undefined,
    identities: [],
    now: Date.parse("2026-07-01"),
    ...wanted,
  });
  const notGood = checks.filter(({ result }) => result !== "good").map(({ name, result }) => `${name} ${result}`);
  return { outcome, notGood, rows, reasons: checks.map(({ reason }) => reason).join("\n") };
}

test("a folder proves by itself what its device signed, and neither whose device it is nor when", async () => {
  const { outcome, notGood, rows } = await verified({ folder: await folder() });
  assert.deepEqual([outcome, notGood], ["not proven", ["device not made", "time not made"]]);
  assert.deepEqual(
    rows.map(({ record, edited }) => [record, edited]),
    Array.from({ length: 3 }, () => [undefined, []]),
  );
});

test("evidence of other ledgers proves nothing of these rows", async () => {
  const found = await verified({ folder: await folder(), evidence: [foreign], trust });
  assert.equal(found.outcome, "not proven");
  assert.match(found.reasons, /proves 0 records of these/);
  assert.deepEqual(found.notGood, ["device not made", "time not made"]);
});

test("attack: evidence in which a byte was changed", async () => {
  const path = join(root, "changed.tally");
  const bytes = await readFile(foreign);
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  await writeFile(path, bytes);
  const found = await verified({ folder: await folder(), evidence: [path], trust });
  assert.deepEqual([found.outcome, found.notGood[0]], ["bad", "evidence bad"]);
});

test("attack: a label that the device never wrote is put into the table", async () => {
  const path = await folder();
  const file = join(path, "data", "records.jsonl");
  const text = await readFile(file, "utf8");
  await writeFile(
    file,
    text.replace('"labels":[]', '"labels":[{"index":9,"leaf":"00","who":"00","value":"malignant"}]'),
  );
  const { outcome, rows } = await verified({ folder: path });
  assert.equal(outcome, "bad");
  assert.deepEqual(
    rows.map(({ edited }) => edited),
    [["data/records.jsonl"], [], []],
  );
});

test("attack: a pipe, or a device without end, where a file of the folder should be", { timeout: 60_000 }, async () => {
  const pipe = join(root, "pipe");
  await promisify(execFile)("mkfifo", [pipe]);
  for (const [i, name] of ["proof/proof.cbor", "data/records.csv", "data/payloads.cborseq"].entries()) {
    const path = await folder();
    await rm(join(path, name));
    await symlink(i === 0 ? pipe : "/dev/zero", join(path, name));
    const found = await verified({ folder: path }).then(
      ({ outcome, reasons }) => `${outcome} ${reasons}`,
      (error: Error) => error.message,
    );
    assert.match(found, /is not accepted|bad/, name);
    assert.match(found, new RegExp(`${name}`));
  }
  await assert.rejects(verified({ folder: await folder(), evidence: [pipe], trust }), { code: "archive-invalid" });
});
