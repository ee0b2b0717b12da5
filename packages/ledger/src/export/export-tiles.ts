import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { entriesPath, equalBytes, parseCheckpoint, tilePath, tilesOfTree, utf8 } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import type { LogReader } from "../log-reader.ts";

export interface ExportedTiles {
  readonly origin: string;
  readonly size: number;
  /** Files with hashes and entries, whole and partial; the checkpoint is one more. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * Writes a log as C2SP tlog-tiles lays it out, for any tool that reads such logs, from disk or behind a web server:
 *
 *     OUT/checkpoint                       `note`, as it was signed
 *     OUT/tile/<level>/<n>[.p/<width>]     hashes
 *     OUT/tile/entries/<n>[.p/<width>]     entries
 *
 * The checkpoint is written last: a folder without one was not finished.
 *
 * @param note the checkpoint to export; entries beyond its size are left out
 * @throws LedgerError `damaged` when the stored entries do not have the root of the note, `out-of-range` when there are fewer;
 *   `export-exists` when `out` holds anything
 */
export async function exportTiles(log: LogReader, note: string, out: string): Promise<ExportedTiles> {
  const { checkpoint } = parseCheckpoint(utf8(note));
  const { origin, size, root } = checkpoint;
  if (origin !== log.origin)
    throw new LedgerError("wrong-origin", `the checkpoint is of ${origin}, not of ${log.origin}`);
  if (!equalBytes(await log.root(size), root)) {
    throw new LedgerError("damaged", `the first ${size} entries of ${origin} do not have the root of its checkpoint`, {
      hint: "run `tally ledger check` on the folder",
    });
  }
  await mkdir(out, { recursive: true });
  if ((await readdir(out)).length > 0) {
    throw new LedgerError("export-exists", `${out} is not empty`, { hint: "name a new folder" });
  }
  let files = 0;
  let bytes = 0;
  for (const { level, index, width } of tilesOfTree(size)) {
    const path = level === "entries" ? entriesPath(index, width) : tilePath(level, index, width);
    const tile = await log.tile(path, size);
    if (tile === undefined) throw new LedgerError("out-of-range", `${origin} has no ${path}`);
    const file = join(out, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, tile);
    files += 1;
    bytes += tile.length;
  }
  await writeFile(join(out, "checkpoint"), note);
  return Object.freeze({ origin, size, files, bytes });
}
