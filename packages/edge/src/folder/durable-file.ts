import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Replaces a file so that after a crash either the old or the new content is there, whole, and after this resolves the
 * new one is. The directory is opened before the rename: opening it only afterwards can lose an error of the rename.
 */
export async function writeDurably(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  const directory = await open(folder, "r");
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await directory.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await directory.close();
  }
}

/** Removes a file, durably; a file that is not there is fine. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true });
  const directory = await open(dirname(path), "r").catch(missingIsUndefined);
  if (directory === undefined) return;
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** A file's bytes, or undefined where there is none. */
export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch(missingIsUndefined);
}

function missingIsUndefined(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  throw error;
}
