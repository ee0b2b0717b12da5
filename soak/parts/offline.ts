import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { checkMirroredLog } from "@tally/ledger";
import { lossyLink } from "../../packages/ledger/src/testing/lossy-link.ts";
import { seededRandom } from "../../packages/ledger/src/testing/simulated-disk.ts";
import type { Part } from "../part.ts";
import { Stage } from "../stage.ts";

const program = fileURLToPath(new URL("../processes/device-process.ts", import.meta.url));

/** A rate at which an hour is enough for a full run, and a drop every few requests. */
const BYTES_PER_SECOND = 8 * 1024 * 1024;
const BYTES_PER_DROP = 24 * 1024 * 1024;

/** A device back after 90 days, over a slow link that drops connections: resumes, proves, in bounded memory. */
export const offline: Part = async ({ folder, records, say }) => {
  const stage = await Stage.set(folder);
  const target = new URL(stage.url);
  const link = await lossyLink({
    target,
    bytesPerSecond: BYTES_PER_SECOND,
    bytesPerDrop: BYTES_PER_DROP,
    random: seededRandom(90),
  });
  try {
    const dir = await stage.enrolDevice("device", stage.url);
    const args = ["--disable-warning=ExperimentalWarning", program, dir, String(records)];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TALLY_URL: link.url },
    });
    const ended = once(child, "exit");
    let last = "{}";
    for await (const line of createInterface({ input: child.stdout })) {
      last = line;
      say(line);
    }
    assert.equal((await ended)[0], 0, "the device's process failed");
    const summary = JSON.parse(last) as { entries: number; peakMiB: number };
    const deviceId = JSON.parse(await readFile(join(dir, "state", "device.json"), "utf8")).deviceId as string;
    assert.ok((await stage.mirroredSize(deviceId)) >= records);
    const planePeakMiB = await peakOf(stage);
    await stage.plane.kill();
    const [log] = await readdir(join(folder, "plane", "mirror", "logs"));
    const report = await checkMirroredLog(join(folder, "plane", "mirror", "logs", log!));
    assert.deepEqual(report.problems, []);
    assert.ok(report.size >= records, `${report.size} entries at the plane`);
    return {
      ...summary,
      dropped: link.dropped,
      sentMiB: Math.round(link.bytesUp / 2 ** 20),
      planePeakMiB,
      atPlane: report.size,
    };
  } finally {
    await link.close();
    await stage.clear();
  }
};

/** The most memory that the plane has had, in MiB, as Linux tells it. */
async function peakOf(stage: Stage): Promise<number | undefined> {
  const status = await readFile(`/proc/${stage.plane.pid}/status`, "utf8").catch(() => "");
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return kib === undefined ? undefined : Math.round(Number(kib) / 1024);
}
