import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { commit, decodeEntry, sha256 } from "@tally/evidence";
import { captureModes } from "./config.ts";
import { openDevice } from "./device.ts";
import { collectPayloads } from "./segments/collect.ts";
import { enrolledFolder, temporaryFolder } from "./testing/device-folders.ts";

const root = await temporaryFolder(after);

for (const capture of captureModes) {
  test(`with capture ${capture} a record is of the bytes as they were handed over, whatever becomes of the array`, async () => {
    const device = await openDevice({
      dir: await enrolledFolder(join(root, capture)),
      config: { capture, captureWhen: { output: "score" } },
    });
    const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
    const bytes = new Uint8Array(1000).fill(1);
    const mediaType = "application/octet-stream";
    const recording = device.record({ model, input: { mediaType, bytes }, output: "out" });
    bytes.fill(2);
    const { index } = await recording;
    const { ledger, salts } = device.core;
    const entry = decodeEntry(await ledger.entry(index));
    assert.ok(entry.kind === "inference");
    const salt = (await salts.read(entry.input.slot))!;
    const original = new Uint8Array(1000).fill(1);
    assert.deepEqual(entry.input.commitment, commit({ role: "input", mediaType, salt, content: sha256(original) }));
    const kept = await collectPayloads(device.core, index, index + 1);
    assert.deepEqual(
      kept.map((payload) => payload.bytes),
      capture === "full" ? [original, new TextEncoder().encode("out")] : [],
    );
    await device.close();
  });
}
