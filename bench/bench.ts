// `npm run bench`: what Tally costs, on real parts in temporary folders. A table, or with --json an array of rows.
// Arguments name parts to run alone: `npm run bench -- record plane`. docs/bench.md says what each row means.

import { availableParallelism, loadavg } from "node:os";
import { runPart } from "./part.ts";
import { formatTable, type Row } from "./row.ts";

const parts = ["record", "event-loop", "plane", "fleet", "memory", "summary", "referrers", "registry", "large"];
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const unknown = [...named, ...process.argv.slice(2)].find(
  (argument) => argument !== "--json" && !parts.includes(argument),
);
if (unknown !== undefined) {
  process.stderr.write(
    `error: ${unknown} is no part of the benchmark\nhint: parts are ${parts.join(", ")}; and --json\n`,
  );
  process.exit(2);
}

const cores = availableParallelism();
const [load = 0] = loadavg();
if (load > cores / 4) {
  process.stderr.write(
    `note: other work runs here (load ${load.toFixed(1)} on ${cores} cores): times come out longer\n`,
  );
}
const rows: Row[] = [];
for (const part of named.length > 0 ? named : parts) {
  process.stderr.write(`${part} …\n`);
  rows.push(...(await runPart(part)));
}

if (process.argv.includes("--json")) {
  process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
} else {
  process.stdout.write(
    `Node ${process.versions.node}, ${cores} cores, load ${load.toFixed(1)} before it began\n\n${formatTable(rows)}\n`,
  );
}
