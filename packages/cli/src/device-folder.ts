import type { Command } from "commander";
import { required, settings, type Terminal } from "./terminal/index.ts";

/** Adds `--dir`: the folder of the device on this machine. */
export function withDeviceFolder(command: Command): Command {
  return command.option("--dir <dir>", "the device's folder; TALLY_DIR");
}

/** The folder that `--dir` or TALLY_DIR names. */
export async function deviceFolderOf(terminal: Terminal, { dir }: { readonly dir?: string }): Promise<string> {
  return required((await settings(terminal, dir === undefined ? {} : { dir })).dir);
}
