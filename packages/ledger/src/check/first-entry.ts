import { join } from "node:path";
import { type Files, nodeFiles } from "../files/index.ts";
import { MAX_ENTRY_BYTES, unframe } from "../store/frames.ts";
import { ENTRIES_FILE } from "../store/layout.ts";

/**
 * The first entry as it lies in a log's folder, which need not be whole; undefined where there is none. Nothing is verified: for
 * those who want to know by which keys to check the rest.
 */
export async function readFirstEntry(dir: string, files: Files = nodeFiles): Promise<Uint8Array | undefined> {
  if (!(await files.list(dir)).includes(ENTRIES_FILE)) return undefined;
  const file = await files.open(join(dir, ENTRIES_FILE), "read");
  try {
    const start = new Uint8Array(2 + MAX_ENTRY_BYTES);
    const read = await file.read(start, 0);
    const length = 2 + ((start[0]! << 8) | start[1]!);
    return read < length ? undefined : unframe(start.subarray(0, length))?.[0];
  } finally {
    await file.close();
  }
}
