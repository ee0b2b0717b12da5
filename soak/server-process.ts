import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const tally = fileURLToPath(new URL("../packages/cli/bin/tally.js", import.meta.url));

/** `tally serve` or `tally witness`, as people run them: to be killed and started again. */
export class ServerProcess {
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  /** How often it was killed. */
  kills = 0;

  constructor(...args: readonly string[]) {
    this.#args = args;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", tally, ...this.#args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: environment(),
    });
    this.#child = child;
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4000);
    });
    for await (const line of createInterface({ input: child.stdout })) if (line.startsWith("http")) return;
    throw new Error(`tally ${this.#args[0]} did not start: ${said}`);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    this.kills += 1;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
}

/** Runs `tally` to its end and gives what it printed. */
export async function runTally(...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", tally, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environment(),
  });
  const closed = once(child, "close");
  let out = "";
  for await (const chunk of child.stdout) out += chunk;
  const [code] = await closed;
  if (code !== 0) throw new Error(`tally ${args.join(" ")} ended with ${code}`);
  return out;
}

/** Nothing that is set for the person who runs the soak. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TALLY_")));
}

/** A port that is free now, so that what is killed can come back at the same address. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no port is free");
  return address.port;
}
