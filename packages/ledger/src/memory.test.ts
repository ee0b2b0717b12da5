import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Ledger } from "./ledger.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { ORIGIN, testSigners } from "./testing/test-signers.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function memoryInUse(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test("a ledger of many entries needs hardly more memory than one of few", async (t) => {
  const ledger = await Ledger.open({ dir: await temporaryFolder(t), origin: ORIGIN, signers: testSigners() });
  const entry = new Uint8Array(300);
  const grow = async (to: number) => {
    while (ledger.nextIndex < to) {
      for (let i = 0; i < 2048; i += 1) {
        new DataView(entry.buffer).setUint32(0, ledger.nextIndex);
        ledger.append(entry);
      }
      await ledger.flush();
    }
    await ledger.seal();
    for (let i = 0; i < to; i += to / 64) await ledger.inclusionProof(i, ledger.size);
    return memoryInUse();
  };
  const few = await grow(20_480);
  const many = await grow(122_880);
  // A hundred thousand entries are 30 MB on disk; the tree above the tiles takes 1/4 byte each.
  assert.ok(many - few < 3_000_000, `grew by ${many - few} bytes`);
  await ledger.close();
});
