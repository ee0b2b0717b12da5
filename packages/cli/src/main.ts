import { CommanderError } from "commander";
import { program } from "./program.ts";
import { askSecretly } from "./terminal/ask-secretly.ts";
import { exitCodes, type Terminal } from "./terminal/index.ts";

/** Runs the command line. @returns the exit code */
export async function main(args: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  let result: number = exitCodes.good;
  const finish = (code: number) => {
    result = code;
  };
  try {
    await (await program(terminal, finish, args)).parseAsync([...args], { from: "user" });
    return result;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.good : exitCodes.usage;
    }
    // It knows the errors of all rooms, and a command that succeeds need not load them.
    const { fail } = await import("./terminal/failure.ts");
    return fail(terminal, error);
  }
}

function processTerminal(): Terminal {
  // Whoever reads may have seen enough, as `head` has.
  process.stdout.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? 0 : exitCodes.unexpected),
  );
  let stop: AbortController | undefined;
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.env.TALLY_CWD ?? process.cwd(),
    stdin: process.stdin,
    ...(process.stdin.isTTY && process.stderr.isTTY && { ask: askSecretly }),
    get stop() {
      stop ??= abortedBySignals();
      return stop.signal;
    },
  };
}

function abortedBySignals(): AbortController {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  return stop;
}
