import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import { join } from "node:path";
import type { Files, OpenFile } from "./files/index.ts";

export const RESERVE_FILE = "reserve";

/**
 * Keeps some bytes of the disk taken, so that a full disk can still be told about: the file is let go of and its room used.
 * Random bytes, since a file system may store zeros as nothing. False when there is no room for it now; what room there was is
 * then taken all the same.
 */
export async function keepReserve(files: Files, dir: string, bytes: number): Promise<boolean> {
  let file: OpenFile | undefined;
  try {
    file = await files.open(join(dir, RESERVE_FILE), "write");
    const has = await file.size();
    if (has < bytes) await file.write(randomBytes(bytes - has), has);
    await file.sync();
    return true;
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    return false;
  } finally {
    await file?.close();
  }
}

export async function releaseReserve(files: Files, dir: string): Promise<void> {
  const file = await files.open(join(dir, RESERVE_FILE), "write");
  try {
    await file.truncate(0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether the system said that there is no room, itself or as the cause. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errno } = error as NodeJS.ErrnoException;
  // For a quota that is used up Node has no name, and gives the number.
  const isQuota = errno !== undefined && errno === -constants.errno.EDQUOT;
  return code === "ENOSPC" || isQuota || isDiskFull(error.cause);
}
