/**
 * Reads exact lengths from a stream of chunks without knowing where the chunks are cut.
 *
 * Holds what was asked for and one chunk. `take` is synchronous because a package of 256 entries is 512 small reads: with
 * an await each, the awaits cost more than the hashing.
 */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);
  #at = 0;
  #ended = false;
  /** Why the stream broke off (a lost connection, a bad gzip stream); what came before can still be read. */
  broken: Error | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Makes `count` bytes ready for `take`; false when the stream ends before. */
  async fill(count: number): Promise<boolean> {
    if (this.#buffer.length - this.#at >= count) return true;
    const parts = [this.#buffer.subarray(this.#at)];
    let ready = this.#buffer.length - this.#at;
    while (ready < count && !this.#ended) {
      const next = await this.#source.next().catch((error: Error) => {
        this.broken = error;
        return { done: true as const, value: undefined };
      });
      if (next.done === true) {
        this.#ended = true;
      } else {
        parts.push(next.value);
        ready += next.value.length;
      }
    }
    this.#buffer = parts.length === 1 ? parts[0]! : join(parts, ready);
    this.#at = 0;
    return ready >= count;
  }

  /** How many bytes can be taken without another `fill`. */
  get ready(): number {
    return this.#buffer.length - this.#at;
  }

  /** The next `count` bytes, which `fill` has made ready. They are a view: copy what outlives the package. */
  take(count: number): Uint8Array {
    const bytes = this.#buffer.subarray(this.#at, this.#at + count);
    this.#at += count;
    return bytes;
  }

  takeUint16(): number {
    const [high, low] = this.take(2);
    return (high! << 8) | low!;
  }

  /** Lets go of the source, as the rest will not be read. */
  async close(): Promise<void> {
    this.#ended = true;
    await this.#source.return?.().catch(() => {});
  }
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
