// A device that was away: node device-process.ts DIR RECORDS. Records, then syncs until all is mirrored, however often the link breaks.
// Prints one line of JSON at the end; lines before it say how far it is.
import { EdgeError, openDevice } from "@tally/edge";

const [dir = "", count = "0"] = process.argv.slice(2);
const records = Number(count);
const day = 86_400_000;
const began = Date.now() - 90 * day;
// The device's own clock goes through 90 days while it records.
let made = 0;
const clock = { now: () => began + Math.floor((made / records) * 90 * day) };
const peak = () => Math.round(process.resourceUsage().maxRSS / 1024);

const device = await openDevice({ dir, clock });
const model = await device.declare({ grade: "declared", runtime: "soak", provider: "none" });
const startedRecording = performance.now();
const step = 1000;
for (let i = 0; i < records; i += step) {
  await Promise.all(
    Array.from({ length: Math.min(step, records - i) }, (_, k) => {
      made += 1;
      return device.record({ model, input: `in ${i + k}`, output: `out ${(i + k) % 10}` });
    }),
  );
}
const recordSeconds = (performance.now() - startedRecording) / 1000;
const peakWhileRecording = peak();
process.stdout.write(`${records} recorded in ${recordSeconds.toFixed(0)} s, peak ${peakWhileRecording} MiB\n`);

const startedSync = performance.now();
let attempts = 0;
let said = 0;
for (let done = false; !done; ) {
  attempts += 1;
  try {
    const { mirrored } = await device.sync();
    done = mirrored >= records;
  } catch (error) {
    if (!(error instanceof EdgeError && error.code === "unreachable")) throw error;
  }
  if (Date.now() - said > 10_000) {
    said = Date.now();
    process.stdout.write(`attempt ${attempts}, peak ${peak()} MiB\n`);
  }
}
const size = device.core.ledger.size;
const summary = {
  records,
  entries: size,
  recordSeconds: Math.round(recordSeconds),
  syncSeconds: Math.round((performance.now() - startedSync) / 1000),
  attempts,
  peakWhileRecordingMiB: peakWhileRecording,
  peakMiB: peak(),
};
await device.close();
process.stdout.write(`${JSON.stringify(summary)}\n`);
