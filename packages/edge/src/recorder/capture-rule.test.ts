import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { commit, decodeEntry, encodeEntry, mediaTypes, sha256, utf8 } from "@tally/evidence";
import { RegistryClient, unpackModelKit } from "@tally/oci";
import { syncRound } from "../agent/sync-loop.ts";
import { readConfig } from "../config.ts";
import { canonicalContent } from "../content.ts";
import { openDevice } from "../device.ts";
import { EdgeError } from "../error.ts";
import { openSegment } from "../segments/open-segment.ts";
import { temporaryFolder } from "../testing/device-folders.ts";
import { enrolDevice } from "../testing/loopback-device.ts";
import { LoopbackPlane } from "../testing/loopback-plane.ts";
import { publishModel } from "../testing/publish-model.ts";
import { matchesRule } from "./capture-rule.ts";

const root = await temporaryFolder(after);
const plane = await LoopbackPlane.open(join(root, "plane"));
await publishModel(plane);
after(() => plane.close());

test("where the output decides what is captured, entries commit to the level, and only what matches has a row", async () => {
  const captureWhen = { output: "probability", from: 0.4, to: 0.9 };
  const dir = await enrolDevice(plane, join(root, "device"), { capture: "matching", captureWhen });
  const device = await openDevice({ dir });
  const session = await (await device.load("tiny:stable")).onnx();
  const made: { index: number; probability: number }[] = [];
  for (const first of [-9, 0, 9]) {
    const { outputs, record } = await session.run({
      features: { type: "float32", dims: [1, 4], data: [first, 0, 0, 0] },
    });
    made.push({ index: record.index, probability: Number(outputs.probability!.data[0]) });
  }
  const matching = made.map(({ probability }) => probability >= 0.4 && probability <= 0.9);
  assert.deepEqual(matching, [false, true, false]);
  const { core } = device;
  const lengths = new Set<number>();
  for (const [i, { index }] of made.entries()) {
    const entry = decodeEntry(await core.ledger.entry(index));
    assert.ok(entry.kind === "inference" && typeof entry.captureLevel !== "number");
    const { slot, commitment } = entry.captureLevel;
    const content = sha256(utf8(matching[i] ? "1" : "0"));
    const salt = (await core.salts.read(slot))!;
    assert.deepEqual(commitment, commit({ role: "capture", mediaType: mediaTypes.json, salt, content }));
    lengths.add(encodeEntry({ ...entry, time: 0, durationMicros: 0 }).length);
  }
  assert.equal(lengths.size, 1, "the entries' lengths tell them apart");
  const [segment] = (await syncRound(device)).segments;
  const into = join(root, "segment");
  await unpackModelKit({
    source: new RegistryClient({ url: plane.url, repository: "tiny" }),
    reference: segment!.artifact,
    into,
  });
  const { rows, absent } = await openSegment(into);
  assert.deepEqual(
    rows.map(({ index }) => index),
    [made[1]!.index],
  );
  assert.deepEqual(absent, []);
  await device.erase({ record: made[0]!.index });
  const erased = decodeEntry(await core.ledger.entry(made[0]!.index));
  assert.ok(erased.kind === "inference" && typeof erased.captureLevel !== "number");
  assert.equal(await core.salts.read(erased.captureLevel.slot), undefined);
  await device.close();
});

test("a rule matches numbers within its bounds, of tensors and JSON, and nothing else", () => {
  const rule = { output: "score", from: 0.4, to: 0.6 };
  const json = (value: object) => matchesRule(rule, canonicalContent({ json: value as never }));
  assert.equal(json({ score: 0.4 }), true);
  assert.equal(json({ score: 0.61 }), false);
  assert.equal(json({ score: "0.5" }), false);
  assert.equal(json({ other: 0.5 }), false);
  assert.equal(json([0.5]), false);
  assert.equal(matchesRule(rule, canonicalContent("0.5")), false);
  assert.equal(matchesRule({ output: "score" }, canonicalContent({ json: { score: -1e9 } })), true);
  const data = new Uint8Array(Float32Array.of(0, Number.NaN, 0.5).buffer);
  const tensors = [{ name: "score", dtype: "float", dims: [3], data }] as const;
  assert.equal(matchesRule(rule, canonicalContent({ tensors })), true);
  assert.equal(matchesRule({ ...rule, from: 0.55 }, canonicalContent({ tensors })), false);
});

test("a rule that says nothing, or is misspelt, is refused when the settings are read", async () => {
  const path = join(root, "config.json");
  for (const settings of [
    { capture: "matching" },
    { capture: "matching", captureWhen: { output: "" } },
    { capture: "matching", captureWhen: { output: "a", form: 1 } },
    { capture: "matching", captureWhen: { output: "a", from: "1" } },
  ]) {
    await writeFile(path, JSON.stringify({ url: "http://127.0.0.1:9", ...settings }));
    await assert.rejects(
      readConfig(path, {}, {}),
      (error) => error instanceof EdgeError && error.code === "config-invalid",
    );
  }
});
