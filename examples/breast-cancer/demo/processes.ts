import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const tallyEntry = fileURLToPath(new URL("../../../packages/cli/bin/tally.js", import.meta.url));
// None outlives the demo, even where that is killed.
const withParent = new URL("../../../scripts/with-parent.js", import.meta.url).href;
const flags = ["--disable-warning=ExperimentalWarning", "--import", withParent];

/** What a finished command left. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Every process that was started and not yet awaited, so that none outlives the demo. */
const running = new Set<ChildProcess>();

/** Runs `tally` in a process of its own and waits. */
export async function tallyResult(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  const child = spawn(process.execPath, [...flags, tallyEntry, ...args], {
    env: { ...process.env, TALLY_STARTED_BY: String(process.pid), ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  running.add(child);
  const [stdout, stderr, code] = await Promise.all([
    readAll(child.stdout!),
    readAll(child.stderr!),
    new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (status) => resolve(status ?? 1));
    }),
  ]);
  running.delete(child);
  return { code, stdout, stderr };
}

/** The standard output of a `tally` that has to succeed. */
export async function tally(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, stdout, stderr } = await tallyResult(args, env);
  if (code === 0) return stdout.trim();
  throw new Error(`tally ${args.join(" ")} ended with ${code}\n${stderr}${stdout}`);
}

/** A `tally` that serves until it is stopped; its first line of output is its URL. */
export interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `tally serve` or `tally witness` and waits for its URL. */
export async function startServer(args: readonly string[]): Promise<Server> {
  const child = spawn(process.execPath, [...flags, tallyEntry, ...args], {
    env: { ...process.env, TALLY_STARTED_BY: String(process.pid) },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  running.add(child);
  let said = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  const url = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const found = /https?:\/\/[^\s]+/.exec(text);
      if (found !== null && text.includes("\n")) resolve(found[0]);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`tally ${args[0]} ended with ${code} before it served\n${said}`)));
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    url,
    async stop() {
      child.kill("SIGTERM");
      await exited;
      running.delete(child);
    },
  };
}

/** Ends whatever still runs; for when the demo fails half-way. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Counts a child among those that must not outlive the demo. */
export function track(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk;
  return text;
}
