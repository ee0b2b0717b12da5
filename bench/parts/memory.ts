// What a device takes of memory, in a process of its own.

import { contents, recorderOf } from "../load.ts";
import { inFlight } from "../measure.ts";
import { part } from "../part.ts";
import { figure } from "../row.ts";
import { Scene } from "../scene.ts";

const mebibyte = 1024 * 1024;
const count = 100_000;

await part(() =>
  Scene.with(async (scene) => {
    const small = contents(64, 1024);
    const device = await scene.device();
    const atRest = process.memoryUsage.rss();
    const began = performance.now();
    await inFlight(512, count, await recorderOf(device, small, small));
    const seconds = (performance.now() - began) / 1000;
    await device.sync();
    await device.close();
    return [
      figure(
        "device: memory at rest",
        atRest / mebibyte,
        "MiB",
        "resident, with the device open; Node itself included",
      ),
      figure(
        "device: memory at full load",
        (process.resourceUsage().maxRSS * 1024) / mebibyte,
        "MiB",
        `resident, at the most: ${count} records with 512 in flight, ${Math.round(count / seconds)} a second, then a sync`,
      ),
    ];
  }),
);
