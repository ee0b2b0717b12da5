import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type FolderLock, LedgerError, nodeFiles } from "@tally/ledger";

/** Empties a folder for this demo alone. Another demo that has it is left in peace, and this one ends. */
export async function takeFolder(dir: string): Promise<FolderLock> {
  await mkdir(dir, { recursive: true });
  try {
    const lock = await nodeFiles.lock(dir);
    for (const name of await readdir(dir)) {
      if (!name.startsWith("lock.")) await rm(join(dir, name), { recursive: true, force: true });
    }
    return lock;
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    process.stderr.write(
      `error: ${error.message}\nhint: another demo runs there; stop it, or give --out another folder\n`,
    );
    process.exit(1);
  }
}
