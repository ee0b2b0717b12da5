import { resolve } from "node:path";
import { withJson } from "../options.ts";
import type { Register } from "../register.ts";
import { print, say, type Terminal } from "../terminal/index.ts";

interface Options {
  readonly keys?: string;
  readonly json?: boolean;
}

/** `tally restore`: a plane's folder from a backup. */
export const restore: Register = (program, { terminal }) => {
  const command = program
    .command("restore")
    .summary("make a plane's folder from a backup")
    .description(
      "make a plane's folder from a backup, every file checked; the plane signs nothing in it before it has asked what was published",
    )
    .argument("<backup>", "the folder that `tally backup` wrote")
    .argument("<folder>", "the plane's folder: not there yet, or empty")
    .option("--keys <dir>", "the plane's keys, for a backup without them");
  withJson(command).action((from: string, folder: string, options: Options) => run(terminal, from, folder, options));
};

async function run(terminal: Terminal, from: string, folder: string, { keys, json }: Options): Promise<void> {
  const { restorePlane } = await import("@tally/plane");
  const dir = resolve(terminal.cwd, folder);
  const manifest = await restorePlane({
    from: resolve(terminal.cwd, from),
    dir,
    ...(keys !== undefined && { keys: resolve(terminal.cwd, keys) }),
  });
  const taken = new Date(manifest.at).toISOString();
  print(terminal, json, { ...manifest, folder: dir }, () => [
    `${manifest.plane} as of ${taken} in ${dir}: ${manifest.files} files, each as it was written`,
  ]);
  say(terminal, "never start it beside another copy; before it signs it asks its witnesses, or all of its devices");
}
