// `npm run interop`: installs other people's programs (interop/programs.ts) as far as they can be had, and runs the suites that use
// them, interop/*.test.ts, one file after another. Names narrow it to some programs and the suites that mention them:
// `npm run interop -- oras zot`. The whole has a limit, TALLY_INTEROP_MINUTES (30 where it is not set), two thirds of it for
// installing; what it leaves no time for says `skipped: build time`.

import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { install } from "../interop/install.ts";
import { programs } from "../interop/programs.ts";
import { runSuite } from "../interop/suite.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const suites = globSync("interop/*.test.ts", { cwd: root }).sort();
const names = process.argv.slice(2);
const known = [...programs.map(({ name }) => name), ...suites.map((file) => basename(file, ".test.ts"))];
const unknown = names.find((name) => !known.includes(name));
if (unknown !== undefined) {
  process.stderr.write(`error: ${unknown} is no program and no suite of interop/\n`);
  process.stderr.write(`hint: there are ${[...new Set(known)].join(", ")}\n`);
  process.exit(2);
}

const MINUTE = 60_000;
const minutes = Number(process.env.TALLY_INTEROP_MINUTES || 30);
if (!(minutes > 0)) {
  process.stderr.write(`error: TALLY_INTEROP_MINUTES=${process.env.TALLY_INTEROP_MINUTES} is no number of minutes\n`);
  process.stderr.write("hint: leave it out for 30\n");
  process.exit(2);
}
const end = Date.now() + minutes * MINUTE;
const installEnd = Date.now() + (minutes * MINUTE * 2) / 3;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

const suiteText = (file: string) => readFileSync(join(root, file), "utf8");
const mentions = (file: string, name: string) => suiteText(file).includes(`"${name}"`);
const chosenSuites = suites.filter(
  (file) => names.length === 0 || names.some((name) => basename(file, ".test.ts") === name || mentions(file, name)),
);
// With names, what is installed is what was named, and what the suites that were named use.
const chosenPrograms = programs.filter(
  ({ name }) =>
    names.length === 0 ||
    names.includes(name) ||
    chosenSuites.some((file) => names.includes(basename(file, ".test.ts")) && mentions(file, name)),
);

for (const row of chosenPrograms) {
  const begun = Date.now();
  const limit = Math.min((row.minutes ?? 5) * MINUTE, installEnd - begun);
  const { state, why } = await install(row, limit);
  process.stdout.write(`${row.name}: ${why === undefined ? state : `${state}: ${why}`} (${seconds(begun)})\n`);
}

const outcomes: string[] = [];
let failed = false;
for (const file of chosenSuites) {
  const begun = Date.now();
  process.stdout.write(`\n== ${file}\n`);
  let outcome = await runSuite(join(root, file), Math.min(suiteLimit(file), end - begun));
  if (outcome.startsWith("FAILED")) {
    // Some of these programs race with themselves. Once more, and said: what fails twice is not chance.
    process.stdout.write(`\n== ${file}, once more: ${outcome}\n`);
    const again = await runSuite(join(root, file), Math.min(suiteLimit(file), end - Date.now()));
    outcome = again.startsWith("passed") ? `${again}, at the second try: first ${outcome}` : outcome;
  }
  failed ||= outcome.startsWith("FAILED");
  outcomes.push(`${basename(file, ".test.ts")}: ${outcome} (${seconds(begun)})`);
}
process.stdout.write(`\n${outcomes.join("\n")}\n`);
process.exit(failed ? 1 : 0);

/** A suite may ask for more than 5 minutes by a line `// Limit: 10 minutes.` */
function suiteLimit(file: string): number {
  const [, asked = "5"] = /^\/\/ Limit: (\d+) minutes\.$/m.exec(suiteText(file)) ?? [];
  return Number(asked) * MINUTE;
}

function seconds(begun: number): string {
  return `${((Date.now() - begun) / 1000).toFixed(1)} s`;
}
