import assert from "node:assert/strict";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Device, openDevice } from "@tally/edge";
import { buildRows } from "../../edge/src/segments/build-rows.ts";
import { collectPayloads, collectShares } from "../../edge/src/segments/collect.ts";
import { clearFiles } from "../../edge/src/segments/segment-files.ts";
import { encodeProof, gatherProof } from "../../edge/src/segments/segment-proof.ts";
import { Loop } from "./testing/loop.ts";

const year = ["--from", "2020-01-01", "--to", "2100-01-01"] as const;

async function looped(t: TestContext): Promise<{ loop: Loop; model: string }> {
  const loop = await Loop.start(t);
  const model = await loop.publish();
  await loop.enrol();
  await loop.infer();
  return { loop, model };
}

/** The newest segment of the model as files. */
async function pulled(loop: Loop, model: string, into: string): Promise<string> {
  const { segments } = JSON.parse(await loop.do("data", "query", "--model", model, "-o", `${into}-set`, "--json"));
  await loop.do("data", "pull", `tiny@${segments.at(-1).manifest}`, "-o", into);
  return into;
}

const isNot = (out: string) =>
  out
    .split("\n")
    .filter((line) => /^ +(BAD|not made) /.test(line))
    .map((line) => line.trim().split(/ {2,}/).slice(0, 2).join(" "));

test("a folder without evidence says that its time is not made, and the line to ask for it; with it, each row has one", async (t) => {
  const { loop, model } = await looped(t);
  await pulled(loop, model, "segment");
  const alone = await loop.try("verify", "segment");
  assert.equal(alone.code, 6);
  assert.deepEqual(isNot(alone.out), ["not made device", "not made time"]);
  const asked = /tally (audit .*) --from TIME --to TIME -o (\S+)$/m.exec(alone.err);
  assert.ok(asked !== null, alone.err);
  await loop.do(...asked[1]!.split(" "), ...year, "-o", asked[2]!);
  const proven = await loop.try("verify", "segment", "--records");
  assert.equal(proven.code, 0, proven.out);
  assert.match(proven.out, /good +time +recorded between/);
  assert.equal(proven.out.match(/#\d+ .*Z to .*Z/g)?.length, 2);
});

test("after a device's rotation the answer proves the rows of a segment that its new keys signed", async (t) => {
  const { loop, model } = await looped(t);
  await loop.do("device", "rotate-key", "--dir", "device");
  await loop.infer();
  await pulled(loop, model, "after");
  await loop.do("audit", "--model", model, ...year, "-o", "answer.tally");
  const proven = await loop.try("verify", "after", "--evidence", "answer.tally");
  assert.equal(proven.code, 0, proven.out);
  assert.deepEqual(isNot(proven.out), ["not made signatures"]);
  assert.match(proven.out, /the evidence proves every row under the keys that held/);
  const alone = await loop.try("verify", "after");
  assert.equal(alone.code, 3, "the folder alone does not show whose the new keys are");
});

test("attack: a segment whose record at an index is another one than the plane holds, signed with the device's own keys", async (t) => {
  const { loop, model } = await looped(t);
  await cp(join(loop.folder, "device"), join(loop.folder, "clone"), { recursive: true });
  // The clone comes first: once it is behind, it would take its own entries back from the plane.
  await writeFile(join(loop.folder, "inputs.jsonl"), '{"features": [9, 9, 9, 9]}\n');
  await loop.do("device", "infer", "tiny:stable", "inputs.jsonl", "--dir", "clone");
  const device = await openDevice({ dir: join(loop.folder, "clone") });
  await writeSegment(device, join(loop.folder, "forged"));
  await device.close();
  await writeFile(join(loop.folder, "inputs.jsonl"), '{"features": [1, 1, 1, 1]}\n');
  await loop.infer();
  await loop.do("audit", "--model", model, ...year, "-o", "answer.tally");
  const alone = await loop.try("verify", "forged");
  // What the clone had packed before has no row here.
  const whole = ["not made absent", "not made device", "not made time"];
  assert.deepEqual([alone.code, isNot(alone.out)], [6, whole], "it is whole by itself");
  const found = await loop.try("verify", "forged", "--evidence", "answer.tally");
  assert.equal(found.code, 3, found.out);
  assert.deepEqual(isNot(found.out), ["not made absent", "BAD device"]);
  assert.match(found.out, /entry \d+ is another one in the ledger that the plane holds/);
});

/** What the device kept, as it would pack it, without asking anyone. */
async function writeSegment({ core }: Device, folder: string): Promise<void> {
  const latest = await core.ledger.seal();
  const [from, to] = [0, latest.checkpoint.size];
  const [share] = (await collectShares(core, from, to)).values();
  const { records, labels, loads } = share!;
  const built = buildRows(core.ledger.origin, records, labels, await collectPayloads(core, from, to));
  const proof = encodeProof(await gatherProof(core.ledger, latest, [from, to], [0, ...loads]));
  for (const { name, content } of clearFiles(built, proof)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content());
  }
}
