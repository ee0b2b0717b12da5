import { open, rm } from "node:fs/promises";
import { constants } from "node:os";

/** Of a quota little may be left, and less than what was to be written. */
const probeBytes = 64 * 1024;

/** The system has no room: the disk is full, or a quota is. For the latter Node has no name, and gives the number. */
export function isNoRoom(error: unknown): boolean {
  const { code, errno } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || (errno !== undefined && errno === -constants.errno.EDQUOT);
}

/**
 * Whether nothing more can be written beside a file, for whoever was told of a failure and not of which. Found out by writing some
 * bytes to `<path>-room`, which goes again.
 */
export async function hasNoRoomBeside(path: string): Promise<boolean> {
  const probe = `${path}-room`;
  try {
    const file = await open(probe, "w", 0o600);
    try {
      await file.write(new Uint8Array(probeBytes), 0, probeBytes, 0);
      // Some file systems count when they write to the disk.
      await file.sync();
    } finally {
      await file.close();
    }
    return false;
  } catch (error) {
    return isNoRoom(error);
  } finally {
    await rm(probe, { force: true }).catch(() => {});
  }
}
