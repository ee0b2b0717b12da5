import { type ByteSource, readExactly } from "./byte-source.ts";

const windowBytes = 1024 * 1024;

/** Reads a source from its beginning towards its end, a piece at a time, whatever the parts are that are asked for. */
export class ReadWindow {
  readonly #source: ByteSource;
  readonly #end: number;
  readonly #moved: ((bytes: Uint8Array, offset: number) => void) | undefined;
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;

  /** Reads nothing from `end` on; `moved` is told of each piece that is read, and where it begins. */
  constructor(source: ByteSource, end = source.size, moved?: (bytes: Uint8Array, offset: number) => void) {
    this.#source = source;
    this.#end = end;
    this.#moved = moved;
  }

  /** The bytes [offset, offset + length) if they have been read; valid until the next part is asked for. */
  held(offset: number, length: number): Uint8Array | undefined {
    const at = offset - this.#start;
    return at < 0 || at + length > this.#bytes.length ? undefined : this.#bytes.subarray(at, at + length);
  }

  /** The same, read if need be: fewer where the end comes first. */
  async at(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(Math.min(length, this.#end - offset), 0);
    const held = this.held(offset, wanted);
    if (held !== undefined) return held;
    const size = Math.min(Math.max(wanted, windowBytes), this.#end - offset);
    this.#bytes = await readExactly(this.#source, offset, size);
    this.#start = offset;
    this.#moved?.(this.#bytes, offset);
    return this.#bytes.subarray(0, wanted);
  }
}
