import { asHash, equalBytes } from "@tally/evidence";
import type { OpenFile } from "../files/index.ts";
import { HASH_BYTES, readU64, TILE_RECORD_BYTES, TILE_WIDTH, writeU64 } from "./layout.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { StoreFiles } from "./store-files.ts";
import { type FullTile, TreeTip } from "./tree-tip.ts";

/** Tile records as they lie in the `tiles` file. */
export function encodeTiles(tiles: readonly FullTile[]): Uint8Array {
  const bytes = new Uint8Array(tiles.length * TILE_RECORD_BYTES);
  for (const [i, tile] of tiles.entries()) {
    writeU64(bytes, i * TILE_RECORD_BYTES, tile.end);
    bytes.set(tile.root, i * TILE_RECORD_BYTES + 8);
  }
  return bytes;
}

/** The tree of the first `size` entries out of `tiles` and `hashes`, or undefined when they do not reach so far. */
export async function loadTip(open: StoreFiles, size: number): Promise<TreeTip | undefined> {
  // Not by its tail alone: a size of whole tiles has none, and a file that is gone would be taken for one that is there.
  if ((await open.hashes.size()) < size * HASH_BYTES) return undefined;
  const tip = new TreeTip();
  const full = Math.floor(size / TILE_WIDTH);
  const records = new ReadAhead(open.tiles);
  for (let i = 0; i < full; i += 1) {
    const record = await records.take(i * TILE_RECORD_BYTES, TILE_RECORD_BYTES);
    if (record === undefined) return undefined;
    tip.pushTile({ end: readU64(record, 0), root: asHash(record.slice(8)) });
  }
  const tail = new Uint8Array((size - full * TILE_WIDTH) * HASH_BYTES);
  if ((await open.hashes.read(tail, full * TILE_WIDTH * HASH_BYTES)) < tail.length) return undefined;
  tip.reset(full, tail);
  return tip;
}

/** Sequential output into a derived file that writes only where the file says something else. */
export class DerivedOutput {
  readonly #file: OpenFile;
  readonly #write: boolean;
  #at: number;
  #held: Uint8Array[] = [];
  #length = 0;

  constructor(file: OpenFile, at: number, write: boolean) {
    this.#file = file;
    this.#at = at;
    this.#write = write;
  }

  async put(bytes: Uint8Array): Promise<void> {
    if (!this.#write || bytes.length === 0) return;
    this.#held.push(bytes);
    this.#length += bytes.length;
    if (this.#length >= 256 * 1024) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const bytes = new Uint8Array(this.#length);
    let filled = 0;
    for (const piece of this.#held) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    const there = new Uint8Array(bytes.length);
    const read = await this.#file.read(there, this.#at);
    if (read < bytes.length || !equalBytes(there, bytes)) await this.#file.write(bytes, this.#at);
    this.#at += bytes.length;
    this.#held = [];
    this.#length = 0;
  }
}
