// Runs somebody else's program to its end.
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** What a program printed, whatever its exit code. After two minutes it is ended. */
export async function runProgram(path: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { input = "", cwd, env } = options;
  const child = spawn(path, args, {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: 120_000,
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
  });
  const closed = once(child, "close");
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  // One that does not read its input closes it.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [code] = (await closed) as [number | null];
  return { code, ...said };
}

/** What a program printed on stdout. Throws with what it said if it did not end with 0. */
export async function mustRun(path: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, out, err } = await runProgram(path, args, options);
  if (code !== 0) throw new Error(`${path} ${args.join(" ")} ended with ${code}: ${err || out}`);
  return out;
}
