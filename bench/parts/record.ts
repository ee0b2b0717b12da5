// What record() costs, in each release mode, and beside its peers.

import { hash } from "node:crypto";
import { join } from "node:path";
import { contents, recorderOf } from "../load.ts";
import { alternate, type Cost, costOf, inFlight, median } from "../measure.ts";
import { part } from "../part.ts";
import { SignAndSync } from "../peers.ts";
import { compared, figure, type Row } from "../row.ts";
import { Scene } from "../scene.ts";
import { SpansToFile } from "../telemetry-peer.ts";

const rounds = 7;
const [many, some, few] = [16_384, 8_192, 400];

const cpu = (costs: readonly Cost[], each: number) => median(costs.map(({ cpuMicros }) => cpuMicros / each));
const wall = (costs: readonly Cost[], each: number) => median(costs.map(({ wallMicros }) => wallMicros / each));

await part(() =>
  Scene.with(async (scene) => {
    const small = contents(64, 1024);
    const text = small.map((bytes) => Buffer.from(bytes).toString("base64").slice(0, 1024));
    const committed = await scene.device();
    const immediate = await scene.device({ release: "immediate" });
    const [record, recordNow] = await Promise.all([
      recorderOf(committed, small, small),
      recorderOf(immediate, small, small),
    ]);
    const peer = await SignAndSync.open(join(scene.dir, "signed.jsonl"));
    const spans = await SpansToFile.open(join(scene.dir, "spans.jsonl"));
    const [at512, at64, one, each, bare, full] = (await alternate(rounds, [
      () => costOf(() => inFlight(512, many, record)),
      () => costOf(() => inFlight(64, some, record)),
      () => costOf(() => inFlight(1, some, recordNow)),
      () => costOf(() => inFlight(1, few, (n) => peer.record(small[n % 64]!, small[(n + 1) % 64]!))),
      () => costOf(() => exportSpans(spans, () => undefined)),
      () => costOf(() => exportSpans(spans, (n) => ({ input: text[n % 64]!, output: text[(n + 1) % 64]! }))),
    ])) as [Cost[], Cost[], Cost[], Cost[], Cost[], Cost[]];
    const large = await largeInputs(scene);
    await Promise.all([committed.close(), immediate.close(), peer.close(), spans.close()]);

    const how = `CPU of all threads, sealing every 4,096 entries included; median of ${rounds} rounds`;
    const span = "peer: a span of OpenTelemetry's SDK with five attributes, batch-exported as JSON lines; no fsync";
    return [
      figure("record(), 1 KiB in and out, committed, 512 in flight", cpu(at512, many), "µs CPU", how),
      figure("record(), 1 KiB in and out, committed, 64 in flight", cpu(at64, some), "µs CPU", how),
      figure("record(), 1 KiB in and out, immediate, one caller", cpu(one, some), "µs CPU", how),
      compared(
        "record() at 512 against an OpenTelemetry span without the content",
        cpu(at512, many),
        cpu(bare, many),
        "µs CPU",
        span,
      ),
      compared(
        "record() at 512 against an OpenTelemetry span with the content as attributes",
        cpu(at512, many),
        cpu(full, many),
        "µs CPU",
        `${span}; and input and output as two more, 1,024 characters each`,
      ),
      compared(
        "record() at 512 against sign-and-fsync each: CPU",
        cpu(at512, many),
        cpu(each, few),
        "µs CPU",
        "peer: SHA-256 of both, Ed25519 over a line of JSON, append, fsync, one after another",
      ),
      compared(
        "record() at 512 against sign-and-fsync each: time",
        wall(at512, many),
        wall(each, few),
        "µs",
        "the same rounds by the wall clock: depends on how fast the disk syncs",
      ),
      large,
    ];
  }),
);

/** As many spans as records at 512 in flight, 512 in a turn of the loop, until all are in the file. */
async function exportSpans(
  spans: SpansToFile,
  content: (n: number) => { readonly input: string; readonly output: string } | undefined,
): Promise<void> {
  for (let n = 0; n < many; n += 1) {
    spans.record(content(n));
    if (n % 512 === 511) await new Promise(setImmediate);
  }
  await spans.flush();
}

async function largeInputs(scene: Scene): Promise<Row> {
  const [large, small] = [contents(16, 150 * 1024), contents(16, 1024)];
  const device = await scene.device();
  const record = await recorderOf(device, large, small);
  const count = 1_000;
  const [ours, bare] = (await alternate(rounds, [
    () => costOf(() => inFlight(64, count, record)),
    () =>
      costOf(() => {
        for (let n = 0; n < count; n += 1) hash("sha256", large[n % large.length]!);
      }),
  ])) as [Cost[], Cost[]];
  await device.close();
  return compared(
    "record() with a 150 KiB input, committed, 64 in flight",
    cpu(ours, count),
    cpu(bare, count),
    "µs CPU",
    "peer: SHA-256 of those 150 KiB and nothing else",
  );
}
