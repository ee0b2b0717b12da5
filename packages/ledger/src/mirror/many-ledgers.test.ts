import assert from "node:assert/strict";
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { startMirror } from "../testing/test-mirror.ts";
import { keySetOf, ORIGIN, testSigners } from "../testing/test-signers.ts";
import type { Admission } from "./index.ts";

/** Files below a folder that this process has open, by what the system says. */
async function openBelow(folder: string): Promise<number> {
  const links = (await readdir("/proc/self/fd")).map((fd) => readlink(join("/proc/self/fd", fd)).catch(() => ""));
  return (await Promise.all(links)).filter((path) => path.startsWith(folder)).length;
}

test("a mirror of more ledgers than it may have files open takes all of them in, and again after a start", {
  skip: process.platform !== "linux" && "counts open files in /proc",
}, async (t) => {
  const folder = await temporaryFolder(t);
  const dir = join(folder, "mirror");
  const keySets = new Map<string, Admission>();
  const devices: TestDevice[] = [];
  for (let n = 0; n < 12; n += 1) {
    const signers = testSigners(`${ORIGIN}${n}`);
    keySets.set(`${ORIGIN}${n}`, keySetOf(signers));
    devices.push(await TestDevice.open(join(folder, `device-${n}`), signers));
  }
  t.after(() => Promise.all(devices.map((device) => device.close())));
  for (const size of [300, 700]) {
    const mirror = await startMirror(t, { dir, keySets, maxOpenFiles: 8 });
    await Promise.all(
      devices.map(async (device) => {
        await device.growTo(size);
        assert.equal((await device.sync(mirror.url)).status, "mirrored");
      }),
    );
    for (const { ledger } of devices) {
      const log = mirror.mirror.log(ledger.origin)!;
      assert.deepEqual([log.nextEntry, await log.root(size)], [size, await ledger.root(size)]);
      assert.deepEqual(await log.entry(size - 1), await ledger.entry(size - 1));
    }
    assert.ok((await openBelow(dir)) <= 10, `${await openBelow(dir)} files are open`);
    await mirror.stop();
    assert.equal(await openBelow(dir), 0);
  }
});
