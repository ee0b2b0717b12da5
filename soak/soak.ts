// `npm run soak`: what takes too long for `npm test`. Kills, failing system calls, a device that was away for a long time.
//
//   npm run soak -- [--parts kills,plane,calls,offline] [--kills 1000] [--plane-kills 36] [--records 9000000] [--log soak.log] [--json]
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Part, readOptions } from "./part.ts";
import { kills } from "./parts/kills.ts";
import { offline } from "./parts/offline.ts";
import { plane } from "./parts/plane.ts";
import { calls } from "./parts/system-calls.ts";

const parts: Readonly<Record<string, Part>> = { kills, plane, calls, offline };

const { values } = parseArgs({
  options: {
    parts: { type: "string" },
    kills: { type: "string" },
    "plane-kills": { type: "string" },
    records: { type: "string" },
    log: { type: "string" },
    json: { type: "boolean" },
  },
});
const options = readOptions(values);
const wanted = values.parts?.split(",") ?? Object.keys(parts);
const unknown = wanted.find((name) => parts[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(`error: there is no part ${unknown}\nhint: there are ${Object.keys(parts).join(", ")}\n`);
  process.exit(2);
}

const log = resolve(process.env.TALLY_CWD ?? ".", values.log ?? "soak.log");
writeFileSync(log, "");
const say = (line: string) => {
  appendFileSync(log, `${new Date().toISOString()} ${line}\n`);
  if (values.json !== true) process.stdout.write(`${line}\n`);
};
const machine = `${cpus().length} × ${cpus()[0]?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}`;
say(machine);

const results: Record<string, object> = {};
let failed = false;
for (const name of wanted) {
  const folder = mkdtempSync(join(tmpdir(), `tally-soak-${name}-`));
  const began = Date.now();
  try {
    results[name] = {
      ok: true,
      ...(await parts[name]!({ ...options, folder, say: (line) => say(`${name}: ${line}`) })),
    };
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    failed = true;
    results[name] = { ok: false, error: error instanceof Error ? error.message : String(error), folder };
    say(`${name}: FAILED, its folder stays: ${folder}\n${error instanceof Error ? error.stack : String(error)}`);
  }
  say(`${name}: ${JSON.stringify(results[name])}, ${Math.round((Date.now() - began) / 1000)} s`);
}
if (values.json === true) process.stdout.write(`${JSON.stringify({ machine, results })}\n`);
else process.stdout.write(`${failed ? "FAILED" : "good"}: the log is ${log}\n`);
process.exit(failed ? 1 : 0);
