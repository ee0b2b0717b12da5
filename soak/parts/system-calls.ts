import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generatePrivateKeyPem, noteSignerFromPem } from "@tally/evidence";
import { checkLedger, checkMirroredLog, Ledger, openForReading, originHash, syncLog } from "@tally/ledger";
import { sampleEntries, sampleEntry } from "../../packages/ledger/src/testing/sample-entries.ts";
import { keySetOf, ORIGIN } from "../../packages/ledger/src/testing/test-signers.ts";
import { serveMirror } from "../mirror-server.ts";
import type { Part } from "../part.ts";

const STRACE = "/usr/bin/strace";
const LANES = 2;
const program = fileURLToPath(new URL("../processes/ledger-process.ts", import.meta.url));

/** The system calls by which a file is changed or looked at. */
const CALLS = [
  "openat",
  "pwrite64",
  "write",
  "fdatasync",
  "fsync",
  "ftruncate",
  "rename",
  "mkdir",
  "unlink",
  "rmdir",
  "pread64",
  "read",
  "statx",
  "fstat",
  "getdents64",
  "close",
];
const ACTIONS = ["error=EIO", "error=ENOSPC", "signal=SIGKILL"] as const;
/** Calls that cannot want for room. */
const READS = ["pread64", "read", "statx", "fstat", "getdents64", "close"];

type Scenario = "append" | "sync";

interface Run {
  readonly dir: string;
  readonly entries: number;
  readonly signed: number;
  readonly mirrored: number;
  readonly hit: boolean;
}

/** Every system call of append, seal and sync made to fail, and the process killed at each. */
export const calls: Part = async ({ folder, say }) => {
  if (!existsSync(STRACE)) {
    say(`skipped: there is no ${STRACE}`);
    return { skipped: true };
  }
  const pem = generatePrivateKeyPem("ed25519");
  const bench = new Bench(folder, pem);
  await bench.prepare();
  const totals = { runs: 0, hit: 0, acknowledgedEntries: 0 };
  const counts: Record<string, Record<string, number>> = {};
  for (const scenario of ["append", "sync"] as const) {
    const counted = await bench.count(scenario);
    counts[scenario] = Object.fromEntries(counted);
    say(`${scenario}: ${[...counted].map(([call, count]) => `${call} ${count}`).join(", ")}`);
    const jobs = [...counted].flatMap(([call, count]) =>
      ACTIONS.filter((action) => action !== "error=ENOSPC" || !READS.includes(call)).flatMap((action) =>
        Array.from({ length: count }, (_, i) => ({ call, action, when: i + 1 })),
      ),
    );
    const lane = async () => {
      for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
        const where = `${scenario}: ${job.call} number ${job.when}, ${job.action}`;
        const run = await bench.run(scenario, `inject=${job.call}:${job.action}:when=${job.when}`);
        await bench.expectWhole(scenario, run, where);
        totals.runs += 1;
        totals.hit += run.hit ? 1 : 0;
        totals.acknowledgedEntries += run.entries + run.mirrored;
        if (totals.runs % 50 === 0) say(`${totals.runs} runs, ${jobs.length} to go: ${where}`);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }
  return { calls: counts, ...totals };
};

class Bench {
  readonly #folder: string;
  readonly #pem: string;
  readonly #signers;
  #runs = 0;

  constructor(folder: string, pem: string) {
    this.#folder = folder;
    this.#pem = pem;
    this.#signers = [noteSignerFromPem(ORIGIN, 1, pem)];
  }

  /** A sealed ledger to sync, and the program compiled. */
  async prepare(): Promise<void> {
    const dir = join(this.#folder, "template", "ledger");
    const ledger = await Ledger.open({ dir, origin: ORIGIN, signers: this.#signers });
    for (const entry of sampleEntries(0, 600)) ledger.append(entry);
    await ledger.seal();
    await ledger.close();
    const child = spawn(process.execPath, [program], { env: this.#environment() });
    await once(child, "exit");
  }

  /** How often each call is made on the files of a scenario. */
  async count(scenario: Scenario): Promise<Map<string, number>> {
    const run = await this.run(scenario, undefined);
    const lines = (await readFile(join(run.dir, "strace"), "utf8")).split("\n");
    const counts = new Map<string, number>();
    for (const line of lines) {
      const [, call] = /^\d+ +([a-z0-9_]+)\(/.exec(line) ?? [];
      if (call !== undefined) counts.set(call, (counts.get(call) ?? 0) + 1);
    }
    await rm(run.dir, { recursive: true });
    return counts;
  }

  /** Runs the scenario in a new folder under strace, with a fault or without. */
  async run(scenario: Scenario, fault: string | undefined): Promise<Run> {
    this.#runs += 1;
    const dir = join(this.#folder, `run-${this.#runs}`);
    if (scenario === "sync") await cp(join(this.#folder, "template"), dir, { recursive: true });
    else await mkdir(dir);
    const paths = pathsOf(dir, scenario).flatMap((path) => ["-P", path]);
    const trace = ["-f", "-qq", "-o", join(dir, "strace"), ...paths, "-e", `trace=${CALLS.join(",")}`];
    const inject = fault === undefined ? [] : ["-e", fault];
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", program, scenario, dir, this.#pem];
    const child = spawn(STRACE, [...trace, ...inject, ...node], {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 180_000,
      killSignal: "SIGKILL",
      env: this.#environment(),
    });
    const closed = once(child, "close");
    let said = "";
    for await (const chunk of child.stdout) said += chunk;
    await closed;
    const last = (what: string) => Number([...said.matchAll(new RegExp(`^${what} (\\d+)$`, "gm"))].at(-1)?.[1] ?? -1);
    const traced = await readFile(join(dir, "strace"), "utf8");
    return {
      dir,
      entries: last("committed") + 1,
      signed: Math.max(0, last("sealed")),
      mirrored: Math.max(0, last("mirrored")),
      hit: /\(INJECTED\)|killed by SIGKILL/.test(traced),
    };
  }

  /** What was acknowledged is there and checks; the work can go on. */
  async expectWhole(scenario: Scenario, { dir, entries, signed, mirrored }: Run, where: string): Promise<void> {
    const keySet = keySetOf(this.#signers);
    if (scenario === "append") {
      const ledger = await Ledger.open({ dir: join(dir, "ledger"), origin: ORIGIN, signers: this.#signers });
      assert.equal(ledger.damage, undefined, where);
      assert.ok(ledger.size >= entries, `${where}: ${ledger.size} of ${entries} acknowledged entries`);
      assert.ok((ledger.latest?.checkpoint.size ?? 0) >= signed, `${where}: checkpoint ${signed}`);
      for (let i = 0; i < ledger.size; i += 37) assert.deepEqual(await ledger.entry(i), sampleEntry(i), where);
      ledger.append(sampleEntry(ledger.size));
      await ledger.seal();
      await ledger.close();
      const report = await checkLedger(join(dir, "ledger"), { keySet });
      assert.deepEqual([report.problems, report.signatures], [[], "good"], where);
    } else {
      const mirror = await serveMirror(join(dir, "mirror"), ORIGIN, keySet);
      const { log, latest } = await openForReading(join(dir, "ledger"));
      try {
        const hash = originHash(ORIGIN);
        if (mirrored > 0) {
          const report = await checkMirroredLog(join(dir, "mirror", "logs", hash), { keySet });
          assert.deepEqual([report.problems, report.size], [[], mirrored], where);
        }
        const result = await syncLog(mirror.url, { log, latest: latest! });
        assert.equal(result.status, "mirrored", `${where}: ${JSON.stringify(result)}`);
        const report = await checkMirroredLog(join(dir, "mirror", "logs", hash), { keySet });
        assert.deepEqual([report.problems, report.size, report.signatures], [[], 600, "good"], where);
      } finally {
        await log.close();
        await mirror.close();
      }
    }
    await rm(dir, { recursive: true });
  }

  #environment(): NodeJS.ProcessEnv {
    // One thread makes all calls on files, so that strace, which counts by thread, counts them all.
    return { ...process.env, UV_THREADPOOL_SIZE: "1", NODE_COMPILE_CACHE: join(this.#folder, "compiled") };
  }
}

/** Everything that a scenario reads or writes. */
function pathsOf(dir: string, scenario: Scenario): string[] {
  const log = ["", "log.json", "log.json.tmp", "entries", "commits", "hashes", "tiles"];
  const ledger = [...log, "checkpoint", "checkpoint.tmp", "reserve"].map((name) => join(dir, "ledger", name));
  if (scenario === "append") return [dir, ...ledger];
  const own = join(dir, "mirror", "logs", originHash(ORIGIN));
  const heads = ["", "pending.json", "pending.json.tmp", "mirrored.json", "mirrored.json.tmp", "conflicts"];
  return [
    dir,
    ...ledger,
    ...["", "ticket.key", "ticket.key.tmp", "logs"].map((name) => join(dir, "mirror", name)),
    ...heads.map((name) => join(own, name)),
    ...log.map((name) => join(own, "log", name)),
  ];
}
