// `npm test`: every *.test.ts beside the code it tests, on Node's own test runner, in two processes at a time.
// Arguments narrow it: `npm test -- packages/ledger` runs the tests below that folder. Without any, tests that need other people's
// programs are skipped, wherever those are: they have a command and a time limit of their own, `npm run interop`.

import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const places = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith("-"));
const patterns = (places.length > 0 ? places : ["packages", "examples", "interop", "docs", "scripts"]).map((place) =>
  place.endsWith(".ts") ? place : join(place, "**", "*.test.ts"),
);
const files = globSync(patterns, { cwd: root, exclude: (name) => name === "node_modules" }).sort();
if (files.length === 0) {
  process.stderr.write(`error: no test found under ${places.join(", ")}\n`);
  process.stderr.write("hint: name a folder or a file from the project's root, such as packages/ledger\n");
  process.exit(2);
}

const child = spawn(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    "--import",
    new URL("with-parent.js", import.meta.url).href,
    "--test",
    "--test-concurrency=2",
    "--test-timeout=300000",
    ...flags,
    ...files,
  ],
  {
    cwd: root,
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: {
      ...process.env,
      TALLY_STARTED_BY: String(process.pid),
      ...(places.length === 0 ? { TALLY_WITHOUT_PROGRAMS: "1" } : {}),
    },
  },
);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));
