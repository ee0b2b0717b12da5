import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("../../bin/tally.js", import.meta.url));
const patienceMs = 60_000;

/** One shell that goes through a whole story, so that `export` and `&` mean what they mean at a terminal. */
export class Shell {
  readonly #child: ChildProcess;
  readonly #mark = `-- ${randomBytes(8).toString("hex")} `;
  readonly #left: number[] = [];
  #screen = "";
  #ended = false;
  #wake: () => void = () => {};

  private constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#screen += text;
        this.#wake();
      });
    }
    child.once("exit", () => {
      this.#ended = true;
      this.#wake();
    });
    child.stdin?.write("exec 2>&1\n");
  }

  /** Starts in `cwd`, with `tally` on the path and none of this process's own settings. */
  static async start(cwd: string, tools: string): Promise<Shell> {
    await mkdir(tools, { recursive: true });
    const command = join(tools, "tally");
    const node = JSON.stringify(process.execPath);
    await writeFile(
      command,
      `#!/bin/sh\nexec ${node} --disable-warning=ExperimentalWarning ${JSON.stringify(entry)} "$@"\n`,
    );
    await chmod(command, 0o755);
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("TALLY_") && name !== "NODE_OPTIONS");
    const env = { ...Object.fromEntries(own), PATH: `${tools}:${process.env.PATH}`, TZ: "UTC" };
    return new Shell(spawn("/bin/sh", [], { cwd, env, stdio: ["pipe", "pipe", "pipe"] }));
  }

  /** Runs a command to its end. */
  async run(command: string): Promise<{ lines: readonly string[]; exitCode: number }> {
    // Without the shell's own standard input, so that no command eats the ones after it.
    this.#child.stdin!.write(`{ ${command}\n} </dev/null\nprintf '\\n${this.#mark}%s\\n' $?\n`);
    const end = new RegExp(`\\n?${this.#mark}(\\d+)\\n`);
    const found = await this.#until((screen) => end.exec(screen));
    const shown = this.#screen.slice(0, found.index);
    this.#screen = this.#screen.slice(found.index + found[0].length);
    return { lines: linesOf(shown), exitCode: Number(found[1]) };
  }

  /** Starts a command that stays, and waits until `enough` of its output is there. */
  async start(command: string, enough: (lines: readonly string[]) => boolean): Promise<readonly string[]> {
    this.#child.stdin!.write(`${command}\n`);
    const lines = await this.#until((screen) => (enough(linesOf(screen)) ? linesOf(screen) : null));
    this.#screen = "";
    const { lines: said } = await this.run("echo $!");
    this.#left.push(Number(said.at(-1)));
    return lines;
  }

  /** Ends what was left running, by its id, and the shell. */
  async close(): Promise<void> {
    for (const pid of this.#left) {
      try {
        process.kill(pid);
      } catch {}
    }
    if (this.#ended) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin!.end("wait\n");
    await ended;
  }

  async #until<T>(ready: (screen: string) => T | null): Promise<T> {
    const giveUp = Date.now() + patienceMs;
    for (;;) {
      const found = ready(this.#screen);
      if (found !== null) return found;
      if (this.#ended || Date.now() > giveUp)
        throw new Error(`${this.#ended ? "the shell ended" : "nothing more came"} after:\n${this.#screen}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, giveUp - Date.now());
      await promise;
      clearTimeout(timer);
    }
  }
}

function linesOf(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.trimEnd());
  return lines.filter((line, i) => line !== "" || i < lines.length - 1).filter((line) => line !== "");
}
