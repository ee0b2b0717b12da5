import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { type Terminal, usageError } from "./terminal/index.ts";

/** Adds `--force`: the command may replace a file that is there. */
export function withForce(command: Command): Command {
  return command.option("--force", "replace the file if it is there");
}

/**
 * Writes what a command made to a path relative to where the person stands, and returns the whole path. A file that is
 * there stays as it is unless `force` says otherwise: a signature or an answer may be the only copy.
 *
 * @throws CliError usage naming the file that is in the way
 */
export async function writeOutput(
  { cwd }: Terminal,
  file: string,
  bytes: string | Uint8Array,
  force: boolean | undefined,
): Promise<string> {
  const path = resolve(cwd, file);
  try {
    await writeFile(path, bytes, { flag: force ? "w" : "wx" });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw usageError(`${path} is already there`, "name another file, or replace it with --force", cause);
  }
  return path;
}
