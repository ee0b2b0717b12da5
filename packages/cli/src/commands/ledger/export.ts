import { join, resolve } from "node:path";
import { exportTiles, nodeFiles, openForReading, readHead } from "@tally/ledger";
import { type FoundLedger, findLedgers } from "../../ledger-check/find-ledgers.ts";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { print, usageError } from "../../terminal/index.ts";

interface Options {
  readonly tiles: string;
  readonly json?: boolean;
}

/** `tally ledger export --tiles OUT FOLDER`: a ledger as other people's tools read logs. */
export const exportCommand: Register = (group, { terminal }) => {
  const command = group
    .command("export")
    .description(
      "write a ledger as a C2SP tlog-tiles log, up to its newest checkpoint, for any tool that reads such logs",
    )
    .argument("<folder>", "of a ledger, a device, or one log of a mirror")
    .requiredOption("--tiles <out>", "where to: a new folder");
  withJson(command).action(async (folder: string, { tiles, json }: Options) => {
    const out = resolve(terminal.cwd, tiles);
    const { log, note } = await openSigned(await oneOf(resolve(terminal.cwd, folder)));
    try {
      const done = await exportTiles(log, note, out);
      print(terminal, json, { ...done, out }, () => [
        `${out}`,
        `${done.origin}: ${done.size} entries in ${done.files} tiles and bundles, ${done.bytes} bytes`,
      ]);
    } finally {
      await log.close();
    }
  });
};

async function oneOf(dir: string): Promise<FoundLedger> {
  const found = await findLedgers(dir);
  if (found.length === 1) return found[0]!;
  throw usageError(`${dir} holds ${found.length} ledgers`, `name one of them, such as ${join(dir, found[0]!.name)}`);
}

/** A mirrored log is exported under the newest checkpoint whose entries are all there, with the mirror's cosignatures. */
async function openSigned({ dir, kind }: FoundLedger) {
  const { log, latest } = await openForReading(kind === "own" ? dir : join(dir, "log"));
  const head = kind === "own" ? undefined : await readHead(nodeFiles, join(dir, "mirrored.json"));
  const note = head === undefined ? latest?.note : head.note + head.cosignatures;
  if (note !== undefined) return { log, note };
  await log.close();
  throw usageError(`nothing of ${log.origin} is signed yet`, "a log is exported up to its newest checkpoint");
}
