import { dirname } from "node:path";
import type { Files } from "./files.ts";

/**
 * Replaces a small file so that after a crash there is the old or the new content, and after this resolves the new.
 *
 * The directory is opened before the rename: an error of the rename's write-back is reported only to directory handles
 * that were open when it happened.
 */
export async function writeDurably(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await files.open(temporary, "write");
  try {
    await file.truncate(0);
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  const directory = await files.openDirectory(dirname(path));
  try {
    await files.rename(temporary, path);
    await directory.sync();
  } finally {
    await directory.close();
  }
}
