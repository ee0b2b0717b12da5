import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseTrust, type Trust } from "@tally/evidence";
import { type Flags, required, settings, type Terminal } from "./terminal/index.ts";

/** The trust file of `--trust`, TALLY_TRUST or config.json. @throws CliError usage where none is set */
export async function readTrustFile(terminal: Terminal, flags: Flags): Promise<Trust> {
  const { trust } = await settings(terminal, flags);
  return parseTrust(await readFile(resolve(terminal.cwd, required(trust))));
}
