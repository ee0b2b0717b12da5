// A summary's answer over a month of a fleet: summary.ts [DEVICES RECORDS SYNCS]. The ledgers are made first, which takes
// longest, and many minutes for what the aim speaks of, `summary.ts 500 20000 30`: by itself it makes a smaller fleet.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTrust, verifyBundle } from "@tally/evidence";
import { median } from "../measure.ts";
import { Month } from "../month.ts";
import { part } from "../part.ts";
import { figure } from "../row.ts";

const given = process.argv.slice(2).map(Number);
const [devices = 200, recordsPerDevice = 2_000, syncs = 5] = given;
const [together, rounds] = [10, 5];

await part(async () => {
  const dir = await mkdtemp(join(tmpdir(), "tally-bench-"));
  try {
    const month = new Month({ dir, devices, recordsPerDevice, syncs, together });
    await month.start();
    await month.play();
    await month.restart();
    const token = (await readFile(month.plane.adminTokenPath, "utf8")).trim();
    const get = async (path: string) => {
      const response = await fetch(month.plane.url + path, { headers: { authorization: `Bearer ${token}` } });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return new Uint8Array(await response.arrayBuffer());
    };
    const trust = parseTrust(await get("/api/v1/trust"));
    // A question that was asked before is answered from a file: each time another millisecond is asked for.
    const path = (round: number) =>
      `/api/v1/audit?detail=summary&model=${month.model}&from=${month.from + round}&to=${month.to}`;
    const times: number[] = [];
    let bundle = new Uint8Array();
    for (let round = 0; round <= rounds; round += 1) {
      const began = performance.now();
      bundle = await get(path(round));
      times.push((performance.now() - began) / 1000);
    }
    const began = performance.now();
    const report = await verifyBundle({ bundle, trust });
    const verified = (performance.now() - began) / 1000;
    const summary = report.answer?.summary;
    if (report.outcome !== "good" || !summary) {
      throw new Error(
        `the summary does not verify: ${JSON.stringify(report.checks.find((c) => c.required && c.result !== "good"))}`,
      );
    }
    const made = devices * Math.round(recordsPerDevice / syncs) * (syncs + 2);
    const how = `one model, ${devices} devices that sync ${syncs} times in the month, out of ${made} records: ${summary.atLeast} to ${summary.atMost} counted; ${bundle.length} bytes; ${together} devices share a plane checkpoint, no outside witness; mirrors made by uploads without HTTP; the aim is for 500 devices and 10^7 records, made by summary.ts 500 20000 30`;
    await month.plane.close();
    return [
      figure("summary answer, over HTTP, the first after a start", times[0]!, "s", how),
      figure(
        "summary answer, over HTTP",
        median(times.slice(1)),
        "s",
        `median of ${rounds} after that one, each asked anew: from a millisecond later`,
      ),
      figure("summary: verified offline", verified, "s", "verifyBundle on it, once, in the same process"),
    ];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
