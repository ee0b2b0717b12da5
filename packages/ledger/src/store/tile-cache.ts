import { asHash, equalBytes, type Hash, hashLeaf, hashLevel } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import type { OpenFile } from "../files/index.ts";
import { HASH_BYTES, TILE_BYTES, TILE_WIDTH } from "./layout.ts";

/** Full level-0 tiles of one log that are kept with their inner nodes: 16 KiB each. */
const KEPT = 16;
/** Of all logs together: an answer goes through every ledger of a fleet, and the next one asks for much the same. 64 MiB. */
const KEPT_IN_ALL = 4096;

/** Level 0 (index 0) up to level 8 (one hash) of a full tile. */
type TileLevels = readonly Uint8Array[];

/** What all caches keep, in the order in which it was last taken. */
const held = new Set<KeptTile>();

interface KeptTile {
  readonly levels: Promise<TileLevels>;
  forget(): void;
}

function heldNow(kept: KeptTile): void {
  held.delete(kept);
  held.add(kept);
  if (held.size <= KEPT_IN_ALL) return;
  const [oldest] = held;
  oldest!.forget();
}

/**
 * Reads full tiles of level 0, each checked against its root. A tile that does not hold (the `hashes` file is only derived) is
 * computed anew from the entries; when they do not hold either, LedgerError `damaged`.
 */
export class TileCache {
  readonly #hashes: OpenFile;
  readonly #readEntries: (tile: number) => Promise<readonly Uint8Array[]>;
  readonly #kept = new Map<number, KeptTile>();

  constructor(hashes: OpenFile, readEntries: (tile: number) => Promise<readonly Uint8Array[]>) {
    this.#hashes = hashes;
    this.#readEntries = readEntries;
  }

  /** A node below level 8 in a full tile whose root is `root`. */
  async node(level: number, index: number, root: Hash): Promise<Hash> {
    const perTile = TILE_WIDTH / 2 ** level;
    const levels = await this.#tile(Math.floor(index / perTile), root);
    const at = (index % perTile) * HASH_BYTES;
    return asHash(levels[level]!.slice(at, at + HASH_BYTES));
  }

  /** The leaf hashes of a full tile whose root is `root`, one after another. Not to be changed. */
  async level0(tile: number, root: Hash): Promise<Uint8Array> {
    return (await this.#tile(tile, root))[0]!;
  }

  clear(): void {
    for (const kept of [...this.#kept.values()]) kept.forget();
  }

  #tile(tile: number, root: Hash): Promise<TileLevels> {
    const kept = this.#kept.get(tile) ?? this.#keep(tile, root);
    this.#kept.delete(tile);
    this.#kept.set(tile, kept);
    heldNow(kept);
    const [oldest] = this.#kept.values();
    if (this.#kept.size > KEPT) oldest!.forget();
    return kept.levels;
  }

  #keep(tile: number, root: Hash): KeptTile {
    const levels = this.#load(tile, root);
    const kept: KeptTile = {
      levels,
      forget: () => {
        held.delete(kept);
        if (this.#kept.get(tile) === kept) this.#kept.delete(tile);
      },
    };
    levels.catch(kept.forget);
    return kept;
  }

  async #load(tile: number, root: Hash): Promise<TileLevels> {
    const stored = new Uint8Array(TILE_BYTES);
    await this.#hashes.read(stored, tile * TILE_BYTES);
    const levels = levelsOf(stored);
    if (equalBytes(levels[8]!, root)) return levels;
    const recomputed = levelsOf(concatLeaves(await this.#readEntries(tile)));
    if (equalBytes(recomputed[8]!, root)) return recomputed;
    throw new LedgerError("damaged", `entries ${tile * TILE_WIDTH} to ${(tile + 1) * TILE_WIDTH - 1} were altered`, {
      hint: "run `tally ledger check` on the folder; restore it from the mirror",
    });
  }
}

function levelsOf(level0: Uint8Array): TileLevels {
  const levels = [level0];
  for (let level = 1; level <= 8; level += 1) levels.push(hashLevel(levels[level - 1]!));
  return levels;
}

function concatLeaves(entries: readonly Uint8Array[]): Uint8Array {
  const level0 = new Uint8Array(TILE_BYTES);
  for (const [i, entry] of entries.entries()) level0.set(hashLeaf(entry), i * HASH_BYTES);
  return level0;
}
