import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { OciError } from "../error.ts";
import { storing } from "../storage/durable-file.ts";
import { readFileStream } from "../storage/read-stream.ts";
import { checkEntryName } from "../tar/entry-name.ts";

/** What of a tar stands before a file's content: the padding after the one before, folders, the file's own header. */
interface Gap {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly size: number;
}

/** Headers before one file of a model, folders and long names, and what arrived since. More is no model. */
const largestGap = 16 * 1024 * 1024;

/**
 * What came of a tar so far, told by the files themselves: the contents are in the model's folder, and what stands between them in
 * `<layer>.gaps`, one JSON line `{"bytes":"<base64>","name":"weights.bin","size":4294967296}` a file. Both together are the layer's first
 * bytes again, so that nothing is kept twice and nothing has to be believed: they are hashed as those are that arrive.
 */
export class StagedTar {
  readonly #files: string;
  readonly #gaps: readonly Gap[];
  readonly #log: FileHandle;
  /** Bytes of each file that are there. */
  readonly begun: ReadonlyMap<string, number>;
  readonly bytes: number;
  #next = 0;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #heldFrom = 0;
  #position = 0;

  private constructor(files: string, log: FileHandle, gaps: readonly Gap[], sizes: readonly number[]) {
    this.#files = files;
    this.#log = log;
    this.#gaps = gaps;
    this.begun = new Map(gaps.map(({ name }, i) => [name, sizes[i]!]));
    this.bytes = gaps.reduce((sum, { bytes }, i) => sum + bytes.length + sizes[i]!, 0);
  }

  static async open(layers: string, layer: number, files: string): Promise<StagedTar> {
    const path = join(layers, `${layer}.gaps`);
    const gaps: Gap[] = [];
    const sizes: number[] = [];
    let whole = 0;
    for (const line of (await readFile(path, "latin1").catch(() => "")).split(/(?<=\n)/)) {
      const gap = parseGap(line);
      if (gap === undefined) break;
      const there = (await stat(join(files, gap.name)).catch(() => undefined))?.size ?? 0;
      whole += line.length;
      gaps.push(gap);
      sizes.push(Math.min(there, gap.size));
      // What came after a file that is not whole is not the layer's beginning.
      if (there < gap.size) break;
    }
    const log = await storing("noting what was unpacked", async () => {
      const opened = await open(path, "a", 0o600);
      await opened.truncate(whole);
      return opened;
    });
    return new StagedTar(files, log, gaps, sizes);
  }

  /** The layer's first bytes, as they are here. */
  async *beginning(): AsyncGenerator<Uint8Array> {
    for (const { bytes, name } of this.#gaps) {
      yield bytes;
      const size = this.begun.get(name)!;
      if (size > 0) {
        yield* readFileStream(join(this.#files, name), { end: size });
      }
    }
  }

  /** Passes the layer's bytes on and holds those that may be a gap. */
  async *watched(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      const from = Math.max(0, this.#heldFrom - this.#position);
      if (from < chunk.length) this.#hold(chunk.subarray(from));
      this.#position += chunk.length;
      yield chunk;
    }
  }

  /** Told of each file before its content is read: notes what stood before it. */
  async reached(name: string, offset: number, size: number): Promise<void> {
    const bytes = this.#take(offset, size);
    this.#next += 1;
    if (this.#next <= this.#gaps.length) return;
    const line = JSON.stringify({ bytes: bytes.toString("base64"), name, size });
    await storing("noting what was unpacked", () => this.#log.appendFile(`${line}\n`));
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= largestGap) return;
    throw new OciError("archive-invalid", `more than ${largestGap} bytes of headers stand before one file`);
  }

  #take(offset: number, size: number): Buffer {
    const held = Buffer.concat(this.#held);
    const length = offset - this.#heldFrom;
    const gap = held.subarray(0, length);
    const rest = held.subarray(length + size);
    this.#held = rest.length > 0 ? [rest] : [];
    this.#heldBytes = rest.length;
    this.#heldFrom = offset + size;
    return gap;
  }
}

/** A blob kept as it comes, because what is unpacked of it does not say what it was: a compressed layer. */
export class StagedBlob {
  readonly #path: string;
  readonly bytes: number;

  private constructor(path: string, bytes: number) {
    this.#path = path;
    this.bytes = bytes;
  }

  static async open(layers: string, layer: number): Promise<StagedBlob> {
    const path = join(layers, `${layer}.blob`);
    return new StagedBlob(path, (await stat(path).catch(() => undefined))?.size ?? 0);
  }

  async *beginning(): AsyncGenerator<Uint8Array> {
    yield* readFileStream(this.#path, { end: this.bytes });
  }

  /** Passes the blob's bytes on and keeps those that were not here. */
  async *watched(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const file = await storing("keeping a layer", () => open(this.#path, "a", 0o600));
    let position = 0;
    try {
      for await (const chunk of source) {
        const fresh = chunk.subarray(Math.max(0, this.bytes - position));
        position += chunk.length;
        if (fresh.length > 0) await storing("keeping a layer", () => file.appendFile(fresh));
        yield chunk;
      }
    } finally {
      await file.close();
    }
  }
}

/** A layer that is one plain file: what of that is there is the layer's beginning. */
export class StagedRaw {
  readonly #path: string;
  readonly bytes: number;

  private constructor(path: string, bytes: number) {
    this.#path = path;
    this.bytes = bytes;
  }

  static async open(files: string, name: string): Promise<StagedRaw> {
    const path = join(files, name);
    return new StagedRaw(path, (await stat(path).catch(() => undefined))?.size ?? 0);
  }

  async *beginning(): AsyncGenerator<Uint8Array> {
    yield* readFileStream(this.#path, { end: this.bytes });
  }
}

function parseGap(line: string): Gap | undefined {
  try {
    if (!line.endsWith("\n")) return undefined;
    const { bytes, name, size } = JSON.parse(Buffer.from(line, "latin1").toString("utf8")) as Record<string, unknown>;
    if (typeof bytes !== "string" || typeof name !== "string" || !Number.isSafeInteger(size)) return undefined;
    return { bytes: Buffer.from(bytes, "base64"), name: checkEntryName(name), size: size as number };
  } catch {
    return undefined;
  }
}
