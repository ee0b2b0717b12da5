/**
 * Reads exact lengths from a stream of chunks without knowing where the chunks are cut.
 *
 * Holds what was asked for and one chunk. What is taken is synchronous because a package of 256 entries is 512 small reads:
 * with an await each, the awaits cost more than the hashing.
 */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #ended = false;
  /** Why the stream broke off (a lost connection, a bad gzip stream); what came before can still be read. */
  broken: Error | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Makes `count` bytes ready for `take`; false when the stream ends before. */
  async fill(count: number): Promise<boolean> {
    while (this.ready < count && !this.#ended) {
      const next = await this.#source.next().catch((error: Error) => {
        this.broken = error;
        return { done: true as const, value: undefined };
      });
      if (next.done === true) this.#ended = true;
      else this.#add(next.value);
    }
    return this.ready >= count;
  }

  /** How many bytes can be taken without another `fill`. */
  get ready(): number {
    return this.#end - this.#at;
  }

  /** The next `count` bytes, which `fill` has made ready: a copy. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count);
    bytes.set(this.#buffer.subarray(this.#at, this.#at + count));
    this.#at += count;
    return bytes;
  }

  takeUint16(): number {
    const value = this.uint16At(0);
    this.#at += 2;
    return value;
  }

  /** The big-endian integer that begins `offset` bytes further on, which `fill` has made ready. It is not taken. */
  uint16At(offset: number): number {
    const at = this.#at + offset;
    return (this.#buffer[at]! << 8) | this.#buffer[at + 1]!;
  }

  /** Lets go of the source, as the rest will not be read. */
  async close(): Promise<void> {
    this.#ended = true;
    await this.#source.return?.().catch(() => {});
  }

  /** Behind what is not taken yet. Room grows by doubling, so that a long package that comes in small chunks is copied twice. */
  #add(chunk: Uint8Array): void {
    const ready = this.ready;
    if (this.#end + chunk.length > this.#buffer.length) {
      const needed = ready + chunk.length;
      const into = needed > this.#buffer.length ? new Uint8Array(Math.max(needed, 2 * ready)) : this.#buffer;
      into.set(this.#buffer.subarray(this.#at, this.#end));
      this.#buffer = into;
      this.#at = 0;
      this.#end = ready;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }
}
