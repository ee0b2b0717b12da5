// `tally serve` as people run it, for programs that talk to a plane or to its registry.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./server-process.ts";

const tally = fileURLToPath(new URL("../packages/cli/bin/tally.js", import.meta.url));

/** A plane that listens, and what its administrator may say to it. */
export interface Served {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `127.0.0.1:<port>`, as registry clients write it. */
  readonly host: string;
  readonly adminToken: string;
  readonly dir: string;
}

/** Starts `tally serve` on a free port until the test ends. */
export async function served(t: TestContext, ...flags: readonly string[]): Promise<Served> {
  const dir = join(await temporaryFolder(t), "plane");
  const args = [
    "serve",
    "--dir",
    dir,
    "--name",
    "tally.test/interop",
    "--port",
    "0",
    "--rate-limit",
    "100000",
    ...flags,
  ];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", tally, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: withoutSettings(),
  });
  t.after(() => ended(child));
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith("http")) continue;
    const adminToken = (await readFile(join(dir, "admin.token"), "utf8")).trim();
    return { url: line, host: new URL(line).host, adminToken, dir };
  }
  throw new Error(`tally serve did not start: ${said}`);
}

/** Runs `tally` to its end; it throws unless the exit code is the one that is wanted. */
export async function runTally(args: readonly string[], env: NodeJS.ProcessEnv = {}, wanted = 0): Promise<string> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", tally, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...withoutSettings(), ...env },
  });
  const closed = once(child, "close");
  let out = "";
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = await closed;
  if (code !== wanted) throw new Error(`tally ${args.join(" ")} ended with ${code}: ${said}`);
  return out;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await gone;
}

/** Nothing that is set for the person who runs the tests. */
function withoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("TALLY_") || name.startsWith("TALLY_INTEROP")),
  );
}
