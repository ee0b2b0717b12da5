import { join } from "node:path";
import { LedgerError } from "../error.ts";
import { type Files, type OpenFile, writeDurably } from "../files/index.ts";
import {
  COMMITS_FILE,
  ENTRIES_FILE,
  encodeLogFile,
  HASHES_FILE,
  LOG_FILE,
  parseLogFile,
  TILES_FILE,
} from "./layout.ts";

/** The four open files of a log. */
export interface StoreFiles {
  readonly entries: OpenFile;
  readonly commits: OpenFile;
  readonly hashes: OpenFile;
  readonly tiles: OpenFile;
}

/** Names of the files of a log beside log.json. */
export const STORE_FILE_NAMES = [ENTRIES_FILE, COMMITS_FILE, HASHES_FILE, TILES_FILE] as const;

/** The origin of the log in `dir`, or undefined when there is no log. */
export async function readOrigin(files: Files, dir: string): Promise<string | undefined> {
  const bytes = await files.readWhole(join(dir, LOG_FILE));
  return bytes && parseLogFile(bytes, dir);
}

/** Creates an empty log's folder and log.json, or checks that the folder is this origin's. */
export async function claimFolder(files: Files, dir: string, origin: string): Promise<void> {
  await files.makeDirectory(dir);
  const found = await readOrigin(files, dir);
  if (found === undefined) {
    const names = await files.list(dir);
    const stray = STORE_FILE_NAMES.find((name) => names.includes(name));
    if (stray !== undefined) {
      throw new LedgerError("format-unknown", `${dir} holds ${stray} but no ${LOG_FILE}`, {
        hint: "restore log.json from a copy of the folder, or use an empty folder",
      });
    }
    await writeDurably(files, join(dir, LOG_FILE), encodeLogFile(origin));
  } else if (found !== origin) {
    throw new LedgerError("wrong-origin", `${dir} holds the log ${found}, not ${origin}`, {
      hint: "use that origin, or another folder",
    });
  }
}

/** Opens the four files; created (durably) in `write` mode, where they must not be in `read` mode. */
export async function openStoreFiles(files: Files, dir: string, mode: "read" | "write"): Promise<StoreFiles> {
  const opened: OpenFile[] = [];
  try {
    for (const name of STORE_FILE_NAMES) opened.push(await openOne(files, join(dir, name), mode));
    if (mode === "write") {
      const directory = await files.openDirectory(dir);
      await directory.sync().finally(() => directory.close());
    }
  } catch (error) {
    await Promise.allSettled(opened.map((file) => file.close()));
    throw error;
  }
  const [entries, commits, hashes, tiles] = opened as [OpenFile, OpenFile, OpenFile, OpenFile];
  return { entries, commits, hashes, tiles };
}

export async function closeStoreFiles(open: StoreFiles): Promise<void> {
  await Promise.all([open.entries, open.commits, open.hashes, open.tiles].map((file) => file.close()));
}

/** A missing file reads as an empty one, so that a check can say what is missing from it. */
async function openOne(files: Files, path: string, mode: "read" | "write"): Promise<OpenFile> {
  try {
    return await files.open(path, mode);
  } catch (error) {
    if (mode === "write" || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return NO_FILE;
  }
}

const refuse = async () => {
  throw new LedgerError("read-only", "this log was opened for reading");
};

const NO_FILE: OpenFile = Object.freeze({
  read: async () => 0,
  write: refuse,
  truncate: refuse,
  sync: refuse,
  size: async () => 0,
  close: async () => {},
});
