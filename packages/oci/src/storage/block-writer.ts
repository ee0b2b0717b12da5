import type { FileHandle } from "node:fs/promises";
import type { ByteSource } from "./blob-store.ts";
import { storing } from "./storing.ts";

const blockSize = 1024 * 1024;

/**
 * Writes chunks while more of them arrive: what comes during a write is gathered, up to 1 MiB, and written next. A chunk is copied: it
 * belongs to its sender again when `write` has returned. Networks deliver chunks of 64 KiB, and a write of its own for each costs
 * more than the copy; nothing waits for a block to be full, so that little is lost when the process dies.
 */
export class BlockWriter {
  readonly #file: FileHandle;
  readonly #doing: string;
  #position: number;
  #filling = Buffer.allocUnsafeSlow(blockSize);
  #spare: Buffer<ArrayBuffer> | undefined;
  #filled = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  /** Writes from `position` on; `doing` says in errors what is being written. */
  constructor(file: FileHandle, position: number, doing: string) {
    this.#file = file;
    this.#position = position;
    this.#doing = doing;
  }

  /** Throws `storage-full` or `storage-failed`, for this or an earlier chunk. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0; ) {
      if (this.#filled === blockSize) await this.#writing;
      if (this.#failure !== undefined) throw this.#failure;
      const part = rest.subarray(0, blockSize - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      this.#writing ??= this.#drain();
    }
  }

  /** Resolves when everything was handed to the operating system. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Writes what is gathered; more may have been gathered by then. */
  async #drain(): Promise<void> {
    const full = this.#filling.subarray(0, this.#filled);
    const buffer = this.#filling;
    this.#filling = this.#spare ?? Buffer.allocUnsafeSlow(blockSize);
    this.#spare = undefined;
    this.#filled = 0;
    try {
      await storing(this.#doing, () => writeAll(this.#file, full, this.#position));
      this.#position += full.length;
    } catch (error) {
      this.#failure = error;
    }
    this.#spare = buffer;
    this.#writing = this.#filled > 0 && this.#failure === undefined ? this.#drain() : undefined;
  }
}

/** From here on a chunk is written as it is. */
const largeChunk = blockSize / 4;

/**
 * Writes what the source yields at `position` and onwards, and shows each chunk to `onChunk` while it is being written. Resolves to
 * the number of bytes written. When the source fails, what it gave before is written all the same.
 */
export async function writeSource(
  file: FileHandle,
  position: number,
  source: ByteSource,
  onChunk: (chunk: Uint8Array) => void,
): Promise<number> {
  let written = 0;
  let gathering: BlockWriter | undefined;
  try {
    for await (const chunk of source instanceof Uint8Array ? [source] : source) {
      if (chunk.length < largeChunk) {
        gathering ??= new BlockWriter(file, position + written, "writing a blob");
        await gathering.write(chunk);
        onChunk(chunk);
      } else {
        await gathering?.flush();
        gathering = undefined;
        const writing = writeAll(file, chunk, position + written);
        onChunk(chunk);
        await storing("writing a blob", () => writing);
      }
      written += chunk.length;
    }
  } finally {
    await gathering?.flush();
  }
  return written;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
