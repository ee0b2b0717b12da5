// Writes the golden set of a format version: `node packages/plane/src/audit/make-golden.ts FOLDER` makes answers.json, a trust
// file, bundles, and a device's ledger in a new folder. What is there is never made again: evidence of a released format
// has to verify for ever, so the files that are committed stay as they were written. A new format gets a folder of its own.

import { cp, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  digestOf,
  hashLeaf,
  noteSignerFromPem,
  type Question,
  rootOf,
  signCheckpoint,
  utf8,
  verifyBundle,
} from "@tally/evidence";
import { answer } from "./answer.ts";
import { AnswerWorld } from "./answer-world.ts";

const hour = 3_600_000;
const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write(
    "error: no folder\nhint: node packages/plane/src/audit/make-golden.ts packages/evidence/testdata/golden/vN\n",
  );
  process.exit(2);
}

const world = await AnswerWorld.create();
const first = await world.publish("first");
const second = await world.publish("second");
await world.seal();
const devices = [await world.enrol(), await world.enrol(), await world.enrol()] as const;
const [ward, lab, stolen] = devices;
world.pass(hour);
const from = world.nowMs - hour / 2;
for (const device of devices) {
  await world.load(device, first);
  await world.sync(device);
}
for (const device of devices) for (let i = 0; i < 5; i += 1) await world.infer(device);
world.pass(hour);
for (const device of devices) await world.sync(device);
await world.restart(ward);
await world.load(ward, second);
for (let i = 0; i < 3; i += 1) await world.infer(ward);
await world.unload(lab);
await world.write(lab, { kind: "gap", time: world.nowMs, atMost: 2, from: 4, to: 5, reason: 1 });
world.pass(hour);
for (const device of [ward, lab]) await world.sync(device);
world.pass(hour);
await world.seal();
const to = world.nowMs;
const everyone: Question = { kind: "records", model: null, from, to, devices: null };
const firstModel: Question = { ...everyone, model: first.manifest };
const oneDevice: Question = { ...everyone, devices: [lab.id] };
const receipt: Question = { kind: "record", origin: ward.origin, index: 4 };

const accuse = async () => {
  const size = stolen.mirroredSize;
  const leaves = Array.from({ length: size }, (_, i) => hashLeaf(utf8(`another entry ${i}`)));
  const signers = ([1, 6] as const).map((type, i) => noteSignerFromPem(stolen.origin, type, stolen.pems[i]!));
  const refused = utf8(await signCheckpoint({ origin: stolen.origin, size, root: rootOf(leaves) }, signers, 0));
  world.accusations.set(stolen.origin, [{ held: utf8(stolen.ledger.latest!.note), refused, proof: [] }]);
};

const bundles = new Map<string, Uint8Array>();
bundles.set("fleet", await answer(world, everyone));
bundles.set("one-model", await answer(world, firstModel));
bundles.set("one-device", await answer(world, oneDevice));
bundles.set("receipt", await answer(world, receipt));
bundles.set("summary", await answer(world, { ...firstModel, kind: "summary" } as Question));
bundles.set("summarised", await answer(world, firstModel, "summarised"));
await accuse();
bundles.set("equivocated", await answer(world, everyone));
await world.revoke(stolen, from + hour / 2);
bundles.set("keys-revoked", await answer(world, everyone));
for (let i = 0; i < 2; i += 1) await world.infer(lab);
await world.sync(lab, false);
await world.seal();
world.pass(hour);
bundles.set("undelivered", await answer(world, { ...everyone, to: world.nowMs }));

await mkdir(join(folder, "ledger"), { recursive: true });
await writeFile(join(folder, "trust.json"), world.trustFile);
const answers: Record<string, unknown> = {};
for (const [name, bundle] of bundles) {
  await writeFile(join(folder, `${name}.tally`), bundle);
  const report = await verifyBundle({ bundle, trust: world.trust });
  answers[name] = {
    digest: digestOf(bundle),
    outcome: report.outcome,
    complete: report.answer?.complete ?? null,
    records: (report.answer?.records ?? []).map(({ origin, index, standing }) => [origin, index, standing]),
    standings: (report.answer?.ledgers ?? []).map(({ origin, standing }) => [origin, standing]),
    bad: report.checks.filter(({ result, required }) => result !== "good" && required).map(({ name }) => name),
  };
}
await writeFile(join(folder, "answers.json"), `${JSON.stringify(answers, null, 2)}\n`);
await ward.ledger.seal();
const { size, root } = ward.ledger.latest!.checkpoint;
await cp(join(world.dir, ward.id), join(folder, "ledger"), {
  recursive: true,
  filter: (path) => !basename(path).startsWith("lock"),
});
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const keySet = ward.keySet.map(({ type, publicKey }) => ({ type, publicKey: base64(publicKey) }));
const ledger = { origin: ward.origin, size, root: base64(root), keySet };
await writeFile(join(folder, "ledger.json"), `${JSON.stringify(ledger, null, 2)}\n`);
await world.destroy();
