// The real Tally for the suites here: its command line in a process of its own, and a control plane.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../packages/cli/bin/tally.js", import.meta.url));

/** What a program said and how it ended. */
export interface Said {
  /** 0 where all was well; -1 where a signal or the limit of two minutes ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Said> {
  const env = { ...process.env, ...options.env };
  return new Promise((resolve) => {
    execFile(file, args, { timeout: 120_000, cwd: options.cwd, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr }),
    );
  });
}

/** Runs `tally` with these arguments. */
export function tally(args: readonly string[], options: RunOptions = {}): Promise<Said> {
  // `npm test` says where it was started; here the person stands elsewhere.
  const env = { ...options.env, TALLY_CWD: options.cwd ?? process.cwd() };
  return run(process.execPath, ["--disable-warning=ExperimentalWarning", bin, ...args], { ...options, env });
}

/** A folder of the test's own, removed after it. */
export async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tally-interop-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Plane {
  readonly url: string;
  /** `127.0.0.1:port`, as other people's tools name a registry. */
  readonly host: string;
  readonly token: string;
  /** For `tally` to talk to it. */
  readonly env: Readonly<Record<string, string>>;
}

/** `tally serve` on a free port of this machine, until the test ends. */
export async function startPlane(t: TestContext): Promise<Plane> {
  const dir = join(await folderOf(t), "plane");
  const args = ["serve", "--dir", dir, "--name", "tally.test/interop", "--port", "0"];
  const server = spawn(process.execPath, [bin, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    server.kill("SIGTERM");
    if (server.exitCode === null) await once(server, "exit");
  });
  const lines = createInterface({ input: server.stdout });
  const [url] = (await once(lines, "line")) as [string];
  const token = (await readFile(join(dir, "admin.token"), "utf8")).trim();
  return { url, host: new URL(url).host, token, env: { TALLY_URL: url, TALLY_TOKEN: token } };
}
