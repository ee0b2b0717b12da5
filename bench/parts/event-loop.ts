// How long sealing and syncing hold up a device's event loop, and how long an output waits for a sealed record.

import type { Device } from "@tally/edge";
import { contents, recorderOf } from "../load.ts";
import { percentile } from "../measure.ts";
import { part } from "../part.ts";
import { compared, figure, type Row } from "../row.ts";
import { Scene } from "../scene.ts";
import { threadCpuMillis } from "../thread-clock.ts";

const small = contents(64, 1024);
/** A device under load: this many records each millisecond. */
const perMilli = 2;
const seconds = 4;
/** Other work on the machine delays a turn by the wall clock, and not by the CPU time of the loop's thread. */
const clocks = [
  { by: "CPU of its thread", now: threadCpuMillis },
  { by: "by the clock", now: () => performance.now() },
];

await part(() =>
  Scene.with(async (scene) => {
    const quiet = await scene.device({ sealEveryEntries: 2 ** 40 });
    const busy = await scene.device();
    const [recordQuietly, record] = [await recorderOf(quiet, small, small), await recorderOf(busy, small, small)];
    const rows: Row[] = [];
    for (const { now, by } of clocks) {
      await Promise.all([lateness(now, 0.5, recordQuietly), lateness(now, 0.5, record)]);
      const without: number[] = [];
      const within: number[] = [];
      for (let round = 0; round < seconds; round += 1) {
        without.push(...(await lateness(now, 1, recordQuietly)));
        const stop = keepSyncing(busy);
        within.push(...(await lateness(now, 1, record)));
        await stop();
      }
      rows.push(
        compared(
          `event loop: how late a turn due each ms is, sealing and syncing all the time, ${by}, p99.9`,
          percentile(within, 0.999),
          percentile(without, 0.999),
          "ms",
          `${perMilli} records each ms; of ${within.length} samples the latest was ${percentile(within, 1).toFixed(2)} ms; peer: the same records, nothing sealed or synced`,
        ),
      );
    }
    await Promise.all([quiet.close(), busy.close()]);
    return [...rows, ...(await sealedLatency(scene))];
  }),
);

/** Milliseconds so far. */
type Clock = () => number;

/**
 * Records at a steady rate and tells, for a turn of the loop due each millisecond of that clock, how many milliseconds late it
 * came. The loop never rests, so by the clock of its thread this is what the process itself kept it busy with.
 */
function lateness(clock: Clock, forSeconds: number, record: (n: number) => Promise<unknown>): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const samples: number[] = [];
    const end = clock() + forSeconds * 1000;
    let due = clock() + 1;
    let n = 0;
    const turn = () => {
      const now = clock();
      if (now >= due) {
        samples.push(now - due);
        due = now + 1;
        for (let i = 0; i < perMilli; i += 1) record(n++).catch(reject);
      }
      if (now < end) setImmediate(turn);
      else resolve(samples);
    };
    setImmediate(turn);
  });
}

/** Syncs over and over; each sync seals. */
function keepSyncing(device: Device): () => Promise<void> {
  let stopped = false;
  const syncing = (async () => {
    while (!stopped) await device.sync();
  })();
  return async () => {
    stopped = true;
    await syncing;
  };
}

async function sealedLatency(scene: Scene): Promise<Row[]> {
  const device = await scene.device({ release: "sealed" });
  const record = await recorderOf(device, small, small);
  const times: number[] = [];
  for (let n = 0; n < 550; n += 1) {
    const began = performance.now();
    await record(n);
    if (n >= 50) times.push(performance.now() - began);
  }
  await device.close();
  const how = `from the call until the output may go: entry and checkpoint fsynced, two signatures; ${times.length} calls`;
  return [
    figure("record(), sealed, one caller: p50", percentile(times, 0.5), "ms", how),
    figure("record(), sealed, one caller: p99", percentile(times, 0.99), "ms", how),
  ];
}
