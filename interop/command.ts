// Runs one command of a tool chain to its end, with a limit for it and for all it starts.
import { spawn } from "node:child_process";

/** The command could not be run or ended badly; the message is one line. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * What the command wrote to stdout and stderr.
 * @param milliseconds after which its whole process group is ended, and the message is "build time"
 * @throws {CommandFailed} with its last line if it did not end with 0
 */
export function run(command: string, args: readonly string[], milliseconds: number, options: CommandOptions = {}) {
  return new Promise<string>((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-1_000_000);
      });
    }
    let late = false;
    const limit = setTimeout(
      () => {
        late = true;
        endGroup(child.pid);
      },
      Math.max(milliseconds, 0),
    );
    const end = () => endGroup(child.pid);
    process.once("exit", end);
    const settle = () => {
      clearTimeout(limit);
      process.off("exit", end);
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      settle();
      reject(new CommandFailed(error.code === "ENOENT" ? `${command} is not there` : error.message));
    });
    child.on("close", (code, signal) => {
      settle();
      if (code === 0) resolve(said);
      else if (late) reject(new CommandFailed("build time"));
      else reject(new CommandFailed(lastLines(said) || `${command} ended with ${signal ?? code}`));
    });
  });
}

/** Ends a process and what it started, where they are a group of their own. */
export function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The end of what was said, as one line of a bearable length. */
function lastLines(said: string): string {
  return said.trim().split("\n").slice(-2).join(" ").replaceAll(/\s+/g, " ").slice(-300);
}
