import type { ExitCode } from "./exit-code.ts";
import { exitCodeFor, exitCodes } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** Says what went wrong, on stderr, and what the process exits with. */
export function fail(terminal: Terminal, error: unknown): ExitCode {
  const code = exitCodeFor(error);
  const message = error instanceof Error ? error.message : String(error);
  terminal.stderr.write(`error: ${message.split("\n")[0]}\n`);
  const hint = (error as { hint?: unknown } | null)?.hint ?? systemHint(error);
  if (typeof hint === "string" && hint !== "") terminal.stderr.write(`hint: ${hint}\n`);
  if (code === exitCodes.unexpected && terminal.env.TALLY_DEBUG && error instanceof Error) {
    terminal.stderr.write(`${error.stack}\n`);
  }
  return code;
}

function systemHint(error: unknown): string | undefined {
  const { code, path } = error as { code?: unknown; path?: unknown };
  if (code === "ENOENT") return `there is nothing at ${String(path)}: check the path`;
  if (code === "EISDIR") return "a file is needed, this is a folder";
  if (code === "EACCES") return `no permission for ${String(path)}`;
  if (code === "EADDRINUSE") return "another program listens there: give another --port";
  return undefined;
}
