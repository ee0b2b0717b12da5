import { asObject } from "../artifact/descriptor.ts";
import { largestManifest } from "../artifact/manifest.ts";
import { OciError } from "../error.ts";

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const whitespace = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * The items of an image index's `manifests`, each as soon as it has arrived: one of them is in memory, however long the index is.
 * They come chunk by chunk, each chunk's to be read before the next is asked for. What surrounds them is parsed at the end. `protocol` for anything else, also for an index that is cut short.
 */
export async function* indexItems(chunks: AsyncIterable<Uint8Array>, doing: string): AsyncGenerator<Iterable<unknown>> {
  const splitter = new Splitter(doing);
  for await (const chunk of chunks) yield splitter.items(chunk);
  yield splitter.end();
}

class Splitter {
  readonly #doing: string;
  /** Everything but the items; its `manifests` are `[]`. */
  readonly #frame: Gathered;
  readonly #item: Gathered;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #list: "not-yet" | "open" | "closed" = "not-yet";
  #expected: "first" | "next" | "comma" = "first";

  constructor(doing: string) {
    this.#doing = doing;
    this.#frame = new Gathered(doing);
    this.#item = new Gathered(doing);
  }

  *items(chunk: Uint8Array): Generator<unknown> {
    let start = 0;
    for (let i = 0; i < chunk.length; i += 1) {
      const byte = chunk[i]!;
      if (this.#inString) this.#within(byte);
      else if (this.#list === "open" && this.#depth === 2) start = this.#between(byte, i);
      else if (byte === quote) this.#inString = true;
      else if (byte === openBrace || byte === openBracket) {
        this.#depth += 1;
        if (byte === openBracket && this.#depth === 2 && this.#frame.endsWithKey(chunk.subarray(start, i))) {
          if (this.#list !== "not-yet") throw this.#wrong();
          this.#list = "open";
          this.#frame.add(chunk.subarray(start, i + 1));
          start = i + 1;
        }
      } else if (byte === closeBrace || byte === closeBracket) {
        this.#depth -= 1;
        if (this.#list === "open" && this.#depth === 2) {
          this.#item.add(chunk.subarray(start, i + 1));
          yield this.#parse(this.#item.take());
          start = i + 1;
        }
      }
    }
    if (this.#list !== "open") this.#frame.add(chunk.subarray(start));
    else if (this.#depth > 2) this.#item.add(chunk.subarray(start));
  }

  *end(): Generator<unknown> {
    if (this.#list === "open") throw this.#wrong();
    const { manifests } = asObject(this.#parse(this.#frame.take()), "the list");
    // The list under a key that was written in another way; some registries write null for none.
    if (Array.isArray(manifests)) yield* manifests;
    else if (manifests !== null) throw this.#wrong();
  }

  #within(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === backslash) this.#escaped = true;
    else if (byte === quote) this.#inString = false;
  }

  /** Between two items: where what is to be kept begins. */
  #between(byte: number, i: number): number {
    if (byte === openBrace && this.#expected !== "comma") {
      this.#depth = 3;
      this.#expected = "comma";
      return i;
    }
    if (byte === closeBracket && this.#expected !== "next") {
      this.#depth = 1;
      this.#list = "closed";
      return i;
    }
    if (byte === comma && this.#expected === "comma") this.#expected = "next";
    else if (!whitespace.has(byte)) throw this.#wrong();
    return i + 1;
  }

  #parse(bytes: Uint8Array): unknown {
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw this.#wrong(cause);
    }
  }

  #wrong(cause?: unknown): OciError {
    return new OciError("protocol", `${this.#doing}: the registry's answer is not an image index`, { cause });
  }
}

/** Bytes that come in pieces, as many as a manifest may have. */
class Gathered {
  readonly #doing: string;
  #pieces: Uint8Array[] = [];
  #size = 0;

  constructor(doing: string) {
    this.#doing = doing;
  }

  add(bytes: Uint8Array): void {
    if (this.#size + bytes.length > largestManifest) {
      throw new OciError("too-large", `${this.#doing}: an item of the list has more than ${largestManifest} bytes`);
    }
    if (bytes.length > 0) this.#pieces.push(bytes);
    this.#size += bytes.length;
  }

  take(): Uint8Array {
    const all = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    return all;
  }

  /** Whether these bytes, after those gathered, end with the key of the list. */
  endsWithKey(bytes: Uint8Array): boolean {
    const all = bytes.length < 64 ? Buffer.concat([...this.#pieces, bytes]) : bytes;
    return /"manifests"\s*:\s*$/.test(Buffer.from(all.subarray(-64)).toString("latin1"));
  }
}
