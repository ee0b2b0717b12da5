import type { ByteSource } from "@tally/evidence";
import { openPlainFile } from "@tally/oci";

/** A file that is read where it is asked for: a bundle may be larger than memory. */
export interface FileSource extends ByteSource, AsyncDisposable {}

/** Opens a file for as long as it is read. */
export async function openFileSource(path: string): Promise<FileSource> {
  const { file, size } = await openPlainFile(path);
  return {
    size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
