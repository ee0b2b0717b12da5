import { OciError } from "../error.ts";
import type { ByteSource } from "../storage/blob-store.ts";

/**
 * A blob in pieces, as requests take them. Pieces that follow each other come from one reading; where a request broke, the blob is
 * read from its beginning again and what the registry has is passed over, so that its source can check all of it.
 */
export class BlobFeed {
  readonly #content: () => ByteSource;
  readonly #size: number;
  #chunks: AsyncIterator<Uint8Array> | undefined;
  #left: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(content: () => ByteSource, size: number) {
    this.#content = content;
    this.#size = size;
  }

  /** The bytes [start, end). Throws `size-mismatch` when the blob has fewer. */
  async *take(start: number, end: number): AsyncGenerator<Uint8Array> {
    if (this.#chunks === undefined || this.#at !== start) await this.#seek(start);
    // What was handed over may never have been sent: only a piece that was taken wholly is gone on from.
    let at = start;
    this.#at = Number.NaN;
    while (at < end) {
      const chunk = this.#left.length > 0 ? this.#left : await this.#next();
      if (chunk === undefined) throw short(this.#size, at);
      const part = chunk.subarray(0, end - at);
      this.#left = chunk.subarray(part.length);
      at += part.length;
      if (at === end) this.#at = end;
      yield part;
    }
  }

  /** Reads on to the end, where the source says whether these were the right bytes. */
  async finish(): Promise<void> {
    if (this.#chunks === undefined || this.#at !== this.#size) await this.#seek(this.#size);
    if (this.#left.length > 0 || (await this.#next()) !== undefined) {
      throw new OciError("size-mismatch", `the blob has more than the announced ${this.#size} bytes`);
    }
  }

  async close(): Promise<void> {
    await this.#chunks?.return?.();
    this.#chunks = undefined;
  }

  async #seek(start: number): Promise<void> {
    await this.close();
    const content = this.#content();
    this.#chunks = (async function* () {
      if (content instanceof Uint8Array) yield content;
      else yield* content;
    })();
    this.#left = new Uint8Array();
    for (let at = 0; at < start; ) {
      const chunk = await this.#next();
      if (chunk === undefined) throw short(this.#size, at);
      at += chunk.length;
      if (at > start) this.#left = chunk.subarray(chunk.length - (at - start));
    }
    this.#at = start;
  }

  async #next(): Promise<Uint8Array | undefined> {
    const next = await this.#chunks!.next();
    return next.done ? undefined : next.value;
  }
}

function short(size: number, at: number): OciError {
  return new OciError("size-mismatch", `the blob ended after ${at} of the announced ${size} bytes`);
}
