// `npm run bench`: what Tally costs, on real parts in temporary folders. A table, or with --json an array of rows.
// Arguments name parts to run alone: `npm run bench -- record plane`. docs/bench.md says what each row means.

import { availableParallelism } from "node:os";
import { runPart } from "./part.ts";
import { formatTable, notMeasured, type Row } from "./row.ts";

const parts = ["record", "event-loop", "plane", "memory"];
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

const rows: Row[] = [];
for (const part of named.length > 0 ? named : parts) {
  process.stderr.write(`${part} …\n`);
  rows.push(...(await runPart(part)));
  if (part === "record") rows.push(...telemetry());
}

if (process.argv.includes("--json")) {
  process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
} else {
  process.stdout.write(`Node ${process.versions.node}, ${availableParallelism()} cores\n\n${formatTable(rows)}\n`);
}

function telemetry(): Row[] {
  return ["without the content", "with the content as attributes"].map((which) =>
    notMeasured(`record() against an OpenTelemetry span ${which}`, "µs CPU", "peer not installed"),
  );
}
