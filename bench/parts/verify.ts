// Offline verification: verify.ts BUNDLE TRUST

import { readFile } from "node:fs/promises";
import { parseTrust, verifyBundle } from "@tally/evidence";
import { median } from "../measure.ts";
import { part } from "../part.ts";
import { figure } from "../row.ts";

await part(async () => {
  const [bundle, trustFile] = await Promise.all(process.argv.slice(2, 4).map((path) => readFile(path)));
  const trust = parseTrust(trustFile!);
  const speeds: number[] = [];
  let records = 0;
  for (let round = 0; round < 3; round += 1) {
    const before = process.cpuUsage();
    const report = await verifyBundle({ bundle: new Uint8Array(bundle!), trust });
    const { user, system } = process.cpuUsage(before);
    if (report.outcome === "bad" || report.answer === null) {
      throw new Error(`the answer does not verify: ${report.checks.find(({ result }) => result === "bad")?.reason}`);
    }
    records = report.answer.records.length;
    speeds.push((records / (user + system)) * 1e6);
  }
  return [
    figure(
      "offline verification of records, one core",
      median(speeds),
      "a second of CPU",
      `verifyBundle over ${records} records, from the file's bytes to the report; median of 3`,
    ),
  ];
});
