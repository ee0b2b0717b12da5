import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkMirroredLog } from "../check/index.ts";
import { LedgerError } from "../error.ts";
import { lossyLink } from "../testing/lossy-link.ts";
import { seededRandom } from "../testing/simulated-disk.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { keySets, startMirror } from "../testing/test-mirror.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";
import { originHash } from "../witness/index.ts";

const ENTRIES = 40_000;

test("a device that was away for long, on a slow link that keeps breaking: its sync goes on where it was, and proves", async (t) => {
  const folder = await temporaryFolder(t);
  const signers = testSigners();
  const dir = join(folder, "mirror");
  const { url, mirror } = await startMirror(t, { dir, keySets: keySets([ORIGIN, keySetOf(signers)]) });
  const link = await lossyLink({
    target: new URL(url),
    bytesPerSecond: 8 * 1024 * 1024,
    bytesPerDrop: 120_000,
    random: seededRandom(7),
  });
  t.after(() => link.close());
  const device = await TestDevice.open(join(folder, "device"), signers);
  t.after(() => device.close());
  const { checkpoint } = await device.growTo(ENTRIES);
  const held: number[] = [];
  for (let done = false; !done; ) {
    try {
      done = (await device.sync(link.url)).status === "mirrored";
    } catch (error) {
      assert.ok(error instanceof LedgerError && error.code === "unreachable", String(error));
    }
    held.push(mirror.log(ORIGIN)?.nextEntry ?? 0);
  }
  assert.ok(link.dropped >= 3, `only ${link.dropped} connections were dropped`);
  assert.deepEqual(
    held,
    held.toSorted((a, b) => a - b),
    "what was stored stays stored",
  );
  assert.deepEqual(await mirror.log(ORIGIN)!.root(ENTRIES), checkpoint.root);
  assert.deepEqual((await checkMirroredLog(join(dir, "logs", originHash(ORIGIN)))).problems, []);
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  t.diagnostic(
    `${link.dropped} connections dropped, ${held.length} attempts, ${link.bytesUp} bytes sent, peak ${peak} MiB`,
  );
});
