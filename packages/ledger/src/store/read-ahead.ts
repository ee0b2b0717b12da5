import type { OpenFile } from "../files/index.ts";

/** Reads a file forward in large pieces and hands out small ones. */
export class ReadAhead {
  readonly #file: OpenFile;
  readonly #piece: number;
  #start = 0;
  #held: Uint8Array = new Uint8Array(0);

  constructor(file: OpenFile, piece = 1024 * 1024) {
    this.#file = file;
    this.#piece = piece;
  }

  /** Bytes [at, at + length), or undefined when the file ends before. A view that stays valid. */
  async take(at: number, length: number): Promise<Uint8Array | undefined> {
    if (at < this.#start || at + length > this.#start + this.#held.length) {
      const fresh = new Uint8Array(Math.max(this.#piece, length));
      this.#held = fresh.subarray(0, await this.#file.read(fresh, at));
      this.#start = at;
      if (this.#held.length < length) return undefined;
    }
    return this.#held.subarray(at - this.#start, at - this.#start + length);
  }
}
