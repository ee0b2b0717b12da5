import { resolve } from "node:path";
import { withJson } from "../options.ts";
import type { Register } from "../register.ts";
import { print, say, type Terminal } from "../terminal/index.ts";

interface Options {
  readonly keys: boolean;
  readonly json?: boolean;
}

/** `tally backup`: a plane's folder, copied as it is at one moment. */
export const backup: Register = (program, { terminal }) => {
  const command = program
    .command("backup")
    .summary("copy a plane's folder, while it runs")
    .description("copy a plane's folder to a new one while the plane runs; `tally restore` makes a plane of it")
    .argument("<folder>", "the plane's folder")
    .argument("<out>", "the backup: a folder that is not there yet")
    .option("--no-keys", "leave out private keys and the administrator's token; keep them elsewhere");
  withJson(command).action((folder: string, out: string, options: Options) => run(terminal, folder, out, options));
};

async function run(terminal: Terminal, folder: string, out: string, { keys, json }: Options): Promise<void> {
  const { backupPlane } = await import("@tally/plane");
  const to = resolve(terminal.cwd, out);
  const manifest = await backupPlane({ dir: resolve(terminal.cwd, folder), to, keys });
  print(terminal, json, manifest, () => [
    `${manifest.plane}: log of ${manifest.logs.log.size} entries, fleet of ${manifest.logs.fleet.size}, ledgers: ${manifest.ledgers}`,
    `${manifest.files} files, ${manifest.bytes} bytes in ${to}`,
  ]);
  say(
    terminal,
    keys
      ? "the plane's private keys are in it: keep it as secret as the plane's folder"
      : "without keys: `tally restore` needs --keys with a copy of the plane's folder `keys`",
  );
}
