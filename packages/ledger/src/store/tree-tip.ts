import {
  asHash,
  asRootHash,
  emptyRoot,
  Frontier,
  type Hash,
  hashLevel,
  hashNode,
  type LeafHash,
  perfectNodes,
  type RootHash,
} from "@tally/evidence";
import { HashColumn } from "./hash-column.ts";
import { concatHashes, HASH_BYTES, TILE_BYTES, TILE_WIDTH } from "./layout.ts";
import { perfectRoot } from "./perfect-tree.ts";

/** A tile that an extension completes: its root and where its last entry ends in the journal. */
export interface FullTile {
  readonly root: Hash;
  readonly end: number;
}

/** What appending some leaves changes, computed before anything is written. */
export interface Extension {
  readonly full: readonly FullTile[];
  /** Level-0 hashes of the full tiles, those that were in memory before included. */
  readonly filled: Uint8Array;
  /** Level-0 hashes of the last, partial tile. */
  readonly tail: Uint8Array;
}

/**
 * The part of a tree that is kept in memory: every node from level 8 up (a quarter of a byte per entry) and the hashes of
 * the last, partial tile. What lies below level 8 in full tiles is read from the `hashes` file.
 */
export class TreeTip {
  readonly #upper: HashColumn[] = [new HashColumn()];
  #ends = new Float64Array(64);
  #tail: Uint8Array = new Uint8Array(0);
  /** Complete nodes of the partial tile by level, once one was asked for: many proofs end in the same few. */
  #tailLevels: Uint8Array[] | undefined;

  get fullTiles(): number {
    return this.#upper[0]!.length;
  }

  get size(): number {
    return this.fullTiles * TILE_WIDTH + this.#tail.length / HASH_BYTES;
  }

  /** Level-0 hashes of the partial tile, concatenated. Not to be changed. */
  get tail(): Uint8Array {
    return this.#tail;
  }

  /** Where the entries of tile `index` begin in the journal. */
  tileStart(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }

  /** A node of level 8 or higher, complete. */
  upper(level: number, index: number): Hash {
    return this.#upper[level - 8]!.at(index);
  }

  /** Root of all entries. */
  root(): RootHash {
    if (this.size === 0) return emptyRoot;
    const hashes = perfectNodes([0, this.size]).map(({ level, index }) =>
      level >= 8 ? this.upper(level, index) : this.tailNode(level, index),
    );
    return asRootHash(Frontier.from(this.size, hashes).root());
  }

  /** A complete node below level 8 within the partial tile. */
  tailNode(level: number, index: number): Hash {
    this.#tailLevels ??= [this.#tail];
    const levels = this.#tailLevels;
    while (levels.length <= level) levels.push(hashLevel(levels.at(-1)!));
    const at = (index - (this.fullTiles * TILE_WIDTH) / 2 ** level) * HASH_BYTES;
    return asHash(levels[level]!.slice(at, at + HASH_BYTES));
  }

  /** `ends[i]` is where the entry of `leaves[i]` ends in the journal. */
  extend(leaves: readonly LeafHash[], ends: readonly number[]): Extension {
    return this.extendBy(concatHashes(leaves), ends);
  }

  /** The same with leaf hashes that lie one after another; `ends` count from `start`. `roots` of tiles need not be computed. */
  extendBy(level0: Uint8Array, ends: ArrayLike<number>, start = 0, roots?: ReadonlyMap<number, Hash>): Extension {
    const before = this.#tail.length / HASH_BYTES;
    const all = new Uint8Array(this.#tail.length + level0.length);
    all.set(this.#tail);
    all.set(level0, this.#tail.length);
    const full: FullTile[] = [];
    let at = 0;
    for (; at + TILE_BYTES <= all.length; at += TILE_BYTES) {
      const last = (full.length + 1) * TILE_WIDTH - before - 1;
      const known = roots?.get(this.fullTiles + full.length);
      full.push({ root: known ?? perfectRoot(all.subarray(at, at + TILE_BYTES)), end: start + ends[last]! });
    }
    return { full, filled: all.subarray(0, at), tail: all.subarray(at) };
  }

  apply(extension: Extension): void {
    for (const tile of extension.full) this.pushTile(tile);
    this.#tail = extension.tail.slice();
    this.#tailLevels = undefined;
  }

  /** A full tile where the tail is empty or just completed. */
  pushTile({ root, end }: FullTile): void {
    const tiles = this.fullTiles;
    if (tiles === this.#ends.length) {
      const larger = new Float64Array(tiles * 2);
      larger.set(this.#ends);
      this.#ends = larger;
    }
    this.#ends[tiles] = end;
    this.#upper[0]!.push(root);
    for (let level = 0; this.#upper[level]!.length % 2 === 0; level += 1) {
      const column = this.#upper[level]!;
      if (level + 1 === this.#upper.length) this.#upper.push(new HashColumn());
      this.#upper[level + 1]!.push(hashNode(column.at(column.length - 2), column.at(column.length - 1)));
    }
  }

  /** Back to `tiles` full tiles and the given partial one. */
  reset(tiles: number, tail: Uint8Array): void {
    for (const [level, column] of this.#upper.entries()) column.truncate(Math.floor(tiles / 2 ** level));
    this.#tail = tail;
    this.#tailLevels = undefined;
  }
}
