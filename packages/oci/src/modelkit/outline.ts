import { open } from "node:fs/promises";

/** A header, and what may stand before it. */
const blockSize = 64 * 1024;
/** Stands for what is passed over. Not zeros, which a tar's reader counts to find its end. */
const filler = Buffer.alloc(1024 * 1024, 1);

/**
 * A tar on disk for those who want to know what is in it and where, without reading all of it: the bytes of what its reader has said to
 * pass over are replaced by others. As long as what was announced is there, the reader's answer is the same.
 */
export class Outline {
  readonly #path: string;
  #passed = { start: 0, end: 0 };

  constructor(path: string) {
    this.#path = path;
  }

  /** The bytes [start, end), which the reader is at now, need not be read. */
  passOver(start: number, end: number): void {
    this.#passed = { start, end };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const file = await open(this.#path, "r");
    try {
      const { size } = await file.stat();
      for (let at = 0; at < size; ) {
        const { start, end } = this.#passed;
        if (at >= start && at < end) {
          const bytes = Math.min(filler.length, end - at, size - at);
          yield filler.subarray(0, bytes);
          at += bytes;
          continue;
        }
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(blockSize), 0, blockSize, at);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  }
}
