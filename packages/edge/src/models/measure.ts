import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf } from "@tally/evidence";
import { checkEntryName } from "@tally/oci";
import { messageOf } from "../error.ts";

/** A file as it was read and hashed: `bytes` are the very ones that `digest` is of. */
export interface MeasuredModelFile {
  readonly name: string;
  readonly digest: Digest;
  readonly size: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What could not be read. */
export class UnreadableFile extends Error {
  override readonly name = "UnreadableFile";
}

/**
 * Reads each file once and hashes what it read. Whoever runs the model gets these buffers; a path that is opened again may
 * lead to other bytes.
 *
 * @throws UnreadableFile naming the file that is missing or no plain file.
 */
export async function measureFiles(folder: string, names: readonly string[]): Promise<readonly MeasuredModelFile[]> {
  const measured: MeasuredModelFile[] = [];
  for (const name of names) {
    const bytes = await readPlainFile(join(folder, checkEntryName(name)), name);
    measured.push(Object.freeze({ name, digest: digestOf(bytes), size: bytes.length, bytes }));
  }
  return measured;
}

async function readPlainFile(path: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      if (!(await file.stat()).isFile()) throw new Error("it is no plain file");
      const { buffer, byteOffset, length } = await file.readFile();
      // Small files are read into a pool that they share with others; the runtime takes over whole buffers.
      return new Uint8Array(buffer as ArrayBuffer, byteOffset, length).slice();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new UnreadableFile(`${name} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
