// Offline verification: verify.ts BUNDLE TRUST

import { readFile } from "node:fs/promises";
import { openFileSource } from "@tally/cli";
import { parseTrust, type Report, verifyBundle } from "@tally/evidence";
import { median } from "../measure.ts";
import { part } from "../part.ts";
import { figure } from "../row.ts";

const [bundlePath, trustPath] = process.argv.slice(2) as [string, string];

async function verified(): Promise<{ report: Report; records: number; size: number }> {
  await using bundle = await openFileSource(bundlePath);
  const report = await verifyBundle({ bundle, trust: parseTrust(await readFile(trustPath)), holdRecords: 0 });
  if (report.outcome === "bad" || report.answer === null) {
    throw new Error(`the answer does not verify: ${report.checks.find(({ result }) => result === "bad")?.reason}`);
  }
  return { report, records: report.answer.recordCount, size: bundle.size };
}

await part(async () => {
  const speeds: number[] = [];
  let records = 0;
  let size = 0;
  for (let round = 0; round < 3; round += 1) {
    const before = process.cpuUsage();
    ({ records, size } = await verified());
    const { user, system } = process.cpuUsage(before);
    speeds.push((records / (user + system)) * 1e6);
  }
  const mebibytes = process.resourceUsage().maxRSS / 1024;
  return [
    figure(
      "offline verification of records, one core",
      median(speeds),
      "a second of CPU",
      `verifyBundle over ${records} records, from the file to the report; median of 3`,
    ),
    figure(
      "offline verification: most memory",
      mebibytes,
      "MiB",
      `resident memory at its peak over three verifications of a file of ${Math.round(size / 2 ** 20)} MiB`,
    ),
  ];
});
