import { OciError } from "../error.ts";
import { isNoRoom } from "./room.ts";

/**
 * Runs a step on the file system and gives its errors their place in this room: a full disk is `storage-full`, any other
 * `storage-failed`. Errors of a source (a broken connection) do not pass through here and stay what they are.
 */
export async function storing<T>(doing: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (cause instanceof OciError) throw cause;
    const errno = (cause as NodeJS.ErrnoException).code;
    if (isNoRoom(cause)) {
      throw new OciError("storage-full", `no space left while ${doing}`, {
        cause,
        hint: "free some space and try again",
      });
    }
    throw new OciError("storage-failed", `the file system failed while ${doing}: ${errno}`, { cause });
  }
}
