import { access, link, rename, rm, writeFile } from "node:fs/promises";
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
    throw inTheWay(path, cause);
  }
  return path;
}

/** For what takes long to make: says at once that a file is in the way. @throws CliError usage */
export async function refuseExisting(path: string, force: boolean | undefined): Promise<void> {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there && !force) throw inTheWay(path);
}

/** Gives a file that is complete its name, which nothing else has unless `force` says so. @throws CliError usage */
export async function giveName(made: string, path: string, force: boolean | undefined): Promise<void> {
  if (force) {
    await rename(made, path);
    return;
  }
  try {
    await link(made, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST") throw inTheWay(path, cause);
    // Some file systems know no links; then there is a moment in which another file could take the name.
    await refuseExisting(path, false);
    await rename(made, path);
    return;
  }
  await rm(made);
}

function inTheWay(path: string, cause?: unknown): Error {
  return usageError(`${path} is already there`, "name another file, or replace it with --force", cause);
}
