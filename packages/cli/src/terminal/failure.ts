import { type ExitCode, exitCodes } from "./exit-code.ts";
import { exitCodeFor, hasNoRoom } from "./exit-code-for.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

/** Says what went wrong, on stderr, and what the process exits with. */
export function fail(terminal: Terminal, error: unknown): ExitCode {
  const exit = exitCodeFor(error);
  const { message, hint } = systemWords(error) ?? wordsOf(error);
  terminal.stderr.write(`error: ${printable(message.split("\n")[0]!)}\n`);
  if (hint !== undefined && hint !== "") terminal.stderr.write(`hint: ${printable(hint)}\n`);
  if (exit === exitCodes.unexpected && terminal.env.TALLY_DEBUG && error instanceof Error) {
    terminal.stderr.write(`${error.stack}\n`);
  }
  return exit;
}

interface Words {
  readonly message: string;
  readonly hint?: string;
}

function wordsOf(error: unknown): Words {
  const message = error instanceof Error ? error.message : String(error);
  const hint = (error as { hint?: unknown } | null)?.hint;
  return { message, ...(typeof hint === "string" && { hint }) };
}

/** The operating system's errors in words: what is wrong with which path, and what to do. */
function systemWords(error: unknown): Words | undefined {
  // Rooms say what they were doing; which path it was is what the person can mend.
  const { code: said, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown };
  if (said === "storage-failed" && cause !== undefined) return systemWords(cause);
  if (hasNoRoom(error))
    return { message: "the disk is full, or a quota is", hint: "make room, then run the command again" };
  const { code, path, syscall, address, port } = (error ?? {}) as Record<string, unknown>;
  if (typeof syscall !== "string") return undefined;
  const place = String(path ?? "the path");
  switch (code) {
    case "ENOENT":
      return {
        message: `there is no ${place}`,
        hint: "check the path; relative paths start where the command is given",
      };
    case "EISDIR":
      return { message: `${place} is a folder, and a file is needed` };
    case "ENOTDIR":
      return { message: `${place} is not in a folder` };
    case "EACCES":
    case "EPERM":
      return { message: `no permission for ${place}`, hint: "run as its owner, or change its permissions" };
    case "EROFS":
      return { message: `${place} is on a disk that cannot be written`, hint: "name a place on another disk" };
    case "EADDRINUSE":
      return { message: `another program listens at ${String(address)}:${String(port)}`, hint: "give another --port" };
    default:
      return undefined;
  }
}
