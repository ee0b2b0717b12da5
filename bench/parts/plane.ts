// What a plane takes in and answers, over HTTP, in a process of its own. Devices sync from this process.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Device, SyncMode } from "@tally/edge";
import { indexBytes } from "../index-size.ts";
import { contents, recorderOf } from "../load.ts";
import { inFlight } from "../measure.ts";
import { part, runPart } from "../part.ts";
import { compared, figure, type Row } from "../row.ts";
import { Scene } from "../scene.ts";
import { Wire } from "../wire.ts";

const tiny = contents(64, 32);
const [devices, perDevice] = [10, 20_000];
const mebibyte = 1024 * 1024;

await part(() =>
  Scene.with(async (scene) => {
    const wire = await wireRows(scene);
    await populate(scene);
    const records = devices * perDevice + wire.records;
    const answers = await answerRows(scene, records);
    const afterAnswers = await scene.planeUsage();
    await scene.stopPlane();
    return [
      ...(await runPart("intake")),
      ...answers,
      ...wire.rows,
      figure(
        "plane: index on disk a record",
        indexBytes(scene.planeDir) / records,
        "bytes",
        `SQLite pages of the tables package, run, load, anchor, stating, gap and segment, over ${records} records`,
      ),
      figure(
        "plane: memory while answering",
        afterAnswers.maxRssBytes / mebibyte,
        "MiB",
        `resident, at the most, over ${records} records in one answer`,
      ),
    ];
  }),
);

async function recorded(scene: Scene, count: number, url?: string, sync: SyncMode = "entries"): Promise<Device> {
  const device = await scene.device({ sealEveryEntries: 2 ** 40, sync }, url);
  await inFlight(512, count, await recorderOf(device, tiny, tiny));
  return device;
}

/** What the answer is about. */
async function populate(scene: Scene): Promise<void> {
  for (let n = 0; n < devices; n += 1) {
    const device = await recorded(scene, perDevice);
    await device.sync();
    await device.close();
  }
}

async function answerRows(scene: Scene, records: number): Promise<readonly Row[]> {
  await settled(scene);
  const began = performance.now();
  const bundle = await scene.get("/api/v1/audit?from=0&to=9999999999999");
  const seconds = (performance.now() - began) / 1000;
  const path = join(scene.dir, "answer.bundle");
  await writeFile(path, bundle);
  return [
    figure(
      "plane: audit answer with every record, over HTTP",
      seconds,
      "s",
      `${records} records of ${devices + 1} devices, ${bundle.length} bytes; asked once`,
    ),
    ...(await runPart("verify", [path, scene.trustPath])),
  ];
}

/** One device, watched from outside: a sync of 8,192 records, then one of its head alone. */
async function wireRows(scene: Scene): Promise<{ rows: Row[]; records: number }> {
  const records = 8_192;
  const wire = await Wire.open(scene.url);
  const device = await recorded(scene, records, wire.url);
  const { ledger } = device.core;
  const whole = await wire.during(() => device.sync());
  let entryBytes = 0;
  for await (const entry of ledger.entries(0, ledger.size)) entryBytes += entry.length;
  await device.close();
  const quiet = await recorded(scene, records, wire.url, "heads-only");
  await quiet.sync();
  await inFlight(512, records, await recorderOf(quiet, tiny, tiny));
  // A day later its session has ended.
  quiet.session.forget();
  const headOnly = await wire.during(() => quiet.sync());
  await quiet.close();
  await wire.close();
  return {
    rows: [
      compared(
        "sync of 8,192 records: bytes on the wire against their entries",
        whole,
        entryBytes,
        "bytes",
        "HTTP in both directions with headers, session and checkpoint included; peer: the entries as they lie in the ledger",
      ),
      figure(
        "proof-only sync: bytes on the wire",
        headOnly,
        "bytes",
        `one of ${records} records: a new session, the plane's checkpoint, add-checkpoint with its proof: what one a day costs a device that day`,
      ),
    ],
    records,
  };
}

/** Waits until the plane's checkpoints stand still: every head that arrived is then in one of them. */
async function settled(scene: Scene): Promise<void> {
  const newest = async () => new TextDecoder().decode(await scene.get("/log/checkpoint"));
  for (let last = "", same = 0; same < 10; await setTimeout(300)) {
    const now = await newest();
    same = now === last ? same + 1 : 0;
    last = now;
  }
}
