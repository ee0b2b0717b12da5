import { asLeafHash, equalBytes, type Hash, hashLeaf } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import { unframe } from "./frames.ts";
import { HASH_BYTES, TILE_WIDTH } from "./layout.ts";
import type { StoreFiles } from "./store-files.ts";
import { TileCache } from "./tile-cache.ts";
import type { TreeTip } from "./tree-tip.ts";

/** Reads entries and nodes: the tip of the tree from memory, the rest from disk. Bounds are the caller's to check. */
export class StoredTree {
  readonly #open: StoreFiles;
  readonly #tip: TreeTip;
  readonly #journalEnd: () => number;
  readonly #cache: TileCache;

  /** `journalEnd`: bytes of the journal that are committed. */
  constructor(open: StoreFiles, tip: TreeTip, journalEnd: () => number) {
    this.#open = open;
    this.#tip = tip;
    this.#journalEnd = journalEnd;
    this.#cache = new TileCache(open.hashes, (tile) => this.#bundle(tile));
  }

  async node(level: number, index: number): Promise<Hash> {
    if (level >= 8) return this.#tip.upper(level, index);
    const tile = Math.floor((index * 2 ** level) / TILE_WIDTH);
    if (tile === this.#tip.fullTiles) return this.#tip.tailNode(level, index);
    return this.#cache.node(level, index, this.#tip.upper(8, tile));
  }

  /** Entries [from, to), each checked against its leaf hash; LedgerError `damaged`. */
  async *entries(from: number, to: number): AsyncGenerator<Uint8Array> {
    for (let index = from; index < to; ) {
      const tile = Math.floor(index / TILE_WIDTH);
      const bundle = await this.#bundle(tile);
      const leaves = await this.#leaves(tile);
      const end = Math.min(to, (tile + 1) * TILE_WIDTH);
      for (; index < end; index += 1) {
        const at = index % TILE_WIDTH;
        const entry = bundle[at];
        const leaf = leaves.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
        if (entry === undefined || !equalBytes(hashLeaf(entry), leaf)) throw altered(index);
        yield entry;
      }
    }
  }

  /** Leaf hashes [from, to), concatenated. */
  async level0(from: number, to: number): Promise<Uint8Array> {
    const bytes = new Uint8Array((to - from) * HASH_BYTES);
    for (let i = from; i < to; i += 1) bytes.set(asLeafHash(await this.node(0, i)), (i - from) * HASH_BYTES);
    return bytes;
  }

  /** Where entry `index` ends in the journal. */
  async endOf(index: number): Promise<number> {
    const tile = Math.floor(index / TILE_WIDTH);
    const bundle = await this.#bundle(tile);
    const upTo = bundle.slice(0, (index % TILE_WIDTH) + 1);
    return upTo.reduce((sum, entry) => sum + 2 + entry.length, this.#tip.tileStart(tile));
  }

  /** The tip was cut back. */
  forget(): void {
    this.#cache.clear();
  }

  /** Leaf hashes of a tile, as far as it reaches, at once: a promise for each took a fifth more (measured). */
  async #leaves(tile: number): Promise<Uint8Array> {
    if (tile >= this.#tip.fullTiles) return this.#tip.tail;
    return this.#cache.level0(tile, this.#tip.upper(8, tile));
  }

  /** The entries of a tile as they lie in the journal, unchecked. */
  async #bundle(tile: number): Promise<readonly Uint8Array[]> {
    const start = this.#tip.tileStart(tile);
    const end = tile < this.#tip.fullTiles ? this.#tip.tileStart(tile + 1) : this.#journalEnd();
    const bytes = new Uint8Array(Math.max(0, end - start));
    const read = await this.#open.entries.read(bytes, start);
    return unframe(bytes.subarray(0, read), TILE_WIDTH) ?? [];
  }
}

function altered(index: number): LedgerError {
  return new LedgerError("damaged", `entry ${index} was altered or is missing on disk`, {
    hint: "run `tally ledger check` on the folder; restore it from the mirror",
  });
}
