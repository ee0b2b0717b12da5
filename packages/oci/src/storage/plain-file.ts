import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { OciError } from "../error.ts";

/**
 * Opens a file for reading that somebody else has put where it lies. A pipe would be waited for, a device read without end: both are
 * refused with `archive-invalid`.
 */
export async function openPlainFile(path: string): Promise<{ readonly file: FileHandle; readonly size: number }> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = await file.stat();
    if (found.isFile()) return { file, size: found.size };
    throw new OciError("archive-invalid", `${path} is no plain file`, {
      hint: "a pipe or a device has no business there: do not use what it came with",
    });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** All of such a file. Throws `too-large` beyond `max` bytes, before it is read. */
export async function readPlainFile(path: string, max: number): Promise<Uint8Array> {
  const { file, size } = await openPlainFile(path);
  try {
    if (size > max) throw new OciError("too-large", `${path} has ${size} bytes; at most ${max} are read`);
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}
