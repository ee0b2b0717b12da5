import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { utf8 } from "@tally/evidence";
import { nodeFiles, writeDurably } from "@tally/ledger";

const fileName = "restored.json";

/** That a folder was made from a backup and nothing has been signed in it since. */
export interface Restored {
  /** When the backup was taken, in milliseconds. */
  readonly backupAt: number;
  /** When it was restored, in milliseconds. */
  readonly restoredAt: number;
}

export function markRestored(dir: string, restored: Restored): Promise<void> {
  return writeDurably(nodeFiles, join(dir, fileName), utf8(`${JSON.stringify(restored)}\n`));
}

export async function readRestored(dir: string): Promise<Restored | undefined> {
  const text = await readFile(join(dir, fileName), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as Restored);
}

export function forgetRestored(dir: string): Promise<void> {
  return rm(join(dir, fileName), { force: true });
}
