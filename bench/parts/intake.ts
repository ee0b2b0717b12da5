// What a plane takes in over HTTP, in a process of its own, from requests that another process made beforehand.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { contents, recorderOf } from "../load.ts";
import { inFlight, median } from "../measure.ts";
import { part } from "../part.ts";
import type { Usage } from "../plane-process.ts";
import { type PreparedSync, prepareSync } from "../prepared-sync.ts";
import { figure, type Row } from "../row.ts";
import { Scene } from "../scene.ts";

const mebibyte = 1024 * 1024;
const tiny = contents(64, 32);
// The first round does not count: the plane's code is compiled in it.
const [rounds, together, perDevice] = [5, 8, 24_000];

await part(() =>
  Scene.with(async (scene) => {
    const client = fork(fileURLToPath(new URL("../upload-process.ts", import.meta.url)), [scene.url]);
    try {
      const atRest = await scene.planeUsage();
      const speeds: number[] = [];
      const cpu: number[] = [];
      for (let round = 0; round <= rounds; round += 1) {
        const { seconds, cpuMicros, entries } = await takeIn(scene, client, await prepared(scene, round));
        if (round === 0) continue;
        speeds.push(entries / seconds);
        cpu.push(cpuMicros / entries);
      }
      const atEnd = await scene.planeUsage();
      await scene.stopPlane();
      return rowsOf(speeds, cpu, atRest, atEnd);
    } finally {
      if (client.connected) client.disconnect();
    }
  }),
);

/** Syncs of devices that have recorded and never synced. */
async function prepared(scene: Scene, round: number): Promise<PreparedSync[]> {
  const syncs: PreparedSync[] = [];
  for (let n = 0; n < together; n += 1) {
    const device = await scene.device({ sealEveryEntries: 2 ** 40 });
    await inFlight(512, perDevice, await recorderOf(device, tiny, tiny));
    syncs.push(await prepareSync(device, scene.url, scene.dir, `sync-${round}-${n}`));
    await device.close();
  }
  return syncs;
}

async function takeIn(scene: Scene, client: ChildProcess, syncs: readonly PreparedSync[]) {
  client.send(syncs);
  await once(client, "message");
  const before = await scene.planeUsage();
  const answered = Promise.race([once(client, "message"), once(client, "exit").then(([code]) => failed(code))]);
  client.send("go");
  const [{ seconds }] = (await answered) as [{ seconds: number }];
  const after = await scene.planeUsage();
  for (const path of syncs.flatMap(({ uploads, checkpoint }) => [checkpoint, ...uploads])) await rm(path);
  const entries = syncs.reduce((sum, sync) => sum + sync.entries, 0);
  return { seconds, cpuMicros: after.cpuMicros - before.cpuMicros, entries };
}

function failed(code: unknown): never {
  throw new Error(`the process that sends ended with code ${String(code)}`);
}

function rowsOf(speeds: readonly number[], cpu: readonly number[], atRest: Usage, atEnd: Usage): Row[] {
  const how = `${together} ledgers of ${perDevice} records at a time, bodies made beforehand, sent from another process; median of ${rounds} rounds`;
  return [
    figure("plane: records verified, stored, indexed over HTTP", median(speeds), "a second", how),
    figure("plane: the same, CPU of the plane alone", median(cpu), "µs CPU a record", "all threads of its process"),
    figure("plane: memory at rest", atRest.rssBytes / mebibyte, "MiB", "resident, after its start"),
    figure("plane: memory while taking in", atEnd.maxRssBytes / mebibyte, "MiB", "resident, at the most"),
  ];
}
