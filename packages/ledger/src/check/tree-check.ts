import { equalBytes, type LeafHash, type RootHash } from "@tally/evidence";
import type { OpenFile } from "../files/index.ts";
import { encodeTiles } from "../store/derived.ts";
import { HASH_BYTES, HASHES_FILE, TILE_RECORD_BYTES, TILES_FILE } from "../store/layout.ts";
import { ReadAhead } from "../store/read-ahead.ts";
import type { StoreFiles } from "../store/store-files.ts";
import { TreeTip } from "../store/tree-tip.ts";
import type { Problems } from "./problem.ts";

/** A size and root that somebody vouched for. */
export interface Vouched {
  readonly size: number;
  readonly root: RootHash;
  /** Called when the tree of the stored entries has that size: with whether it has that root. */
  readonly compared: (holds: boolean) => void;
}

/** The tree of a log as its entries make it, held against the files that follow from them and against signed roots. */
export class TreeCheck {
  readonly #hashes: ReadAhead;
  readonly #hashesFile: OpenFile;
  readonly #tiles: ReadAhead;
  readonly #durable: number;
  readonly #vouched: Vouched[];
  readonly #problems: Problems;
  readonly #tip = new TreeTip();
  #short = { hashes: false, tiles: false };

  /** `durable`: up to where hashes and tiles must be on disk; beyond, opening the log computes them anew. */
  constructor(open: StoreFiles, durable: number, vouched: readonly Vouched[], problems: Problems) {
    this.#hashes = new ReadAhead(open.hashes);
    this.#hashesFile = open.hashes;
    this.#tiles = new ReadAhead(open.tiles);
    this.#durable = durable;
    this.#vouched = [...vouched].sort((a, b) => a.size - b.size);
    this.#problems = problems;
    this.#compare();
  }

  get size(): number {
    return this.#tip.size;
  }

  /** The leaf hashes [from, to) that are on disk; undefined where the file does not reach. */
  async stored(from: number, to: number): Promise<LeafHash[] | undefined> {
    const bytes = await this.#hashes.take(from * HASH_BYTES, (to - from) * HASH_BYTES);
    if (bytes === undefined) return undefined;
    return Array.from({ length: to - from }, (_, i) => bytes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES) as LeafHash);
  }

  /** The next leaves. `certain`: they are known to be those that were committed, so a file that differs is the one that is wrong. */
  async take(leaves: readonly LeafHash[], ends: readonly number[], certain: boolean): Promise<void> {
    if (certain) await this.#compareHashes(leaves);
    for (let from = 0; from < leaves.length; ) {
      const next = this.#vouched[0];
      const to = next === undefined ? leaves.length : Math.min(leaves.length, from + next.size - this.#tip.size);
      const tilesBefore = this.#tip.fullTiles;
      const extension = this.#tip.extend(leaves.slice(from, to), ends.slice(from, to));
      this.#tip.apply(extension);
      if (certain) await this.#compareTiles(tilesBefore, encodeTiles(extension.full));
      this.#compare();
      from = to;
    }
  }

  #compare(): void {
    while (this.#vouched[0]?.size === this.#tip.size) {
      const { root, compared } = this.#vouched.shift()!;
      compared(equalBytes(this.#tip.root(), root));
    }
  }

  async #compareHashes(leaves: readonly LeafHash[]): Promise<void> {
    const from = this.#tip.size;
    const to = Math.min(from + leaves.length, this.#durable);
    if (to <= from || this.#short.hashes) return;
    const stored = await this.stored(from, to);
    if (stored === undefined) {
      this.#short.hashes = true;
      const size = await this.#hashesFile.size();
      const entry = Math.floor(size / HASH_BYTES);
      const what = `ends at byte ${size}; the leaf hashes of entries ${entry} to ${this.#durable - 1} should follow`;
      this.#problems.add(HASHES_FILE, what, { entry, offset: size });
      return;
    }
    const wrong = stored.flatMap((hash, i) => (equalBytes(hash, leaves[i]!) ? [] : [from + i]));
    if (wrong.length === 0) return;
    const [entry] = wrong as [number];
    const more = wrong.length === 1 ? "" : ` (and ${wrong.length - 1} more up to entry ${wrong.at(-1)})`;
    this.#problems.add(HASHES_FILE, `the leaf hash of entry ${entry}${more} is not that of the entry`, {
      entry,
      offset: entry * HASH_BYTES,
    });
  }

  async #compareTiles(first: number, records: Uint8Array): Promise<void> {
    const count = Math.min(records.length / TILE_RECORD_BYTES, Math.floor(this.#durable / 256) - first);
    for (let i = 0; i < count && !this.#short.tiles; i += 1) {
      const tile = first + i;
      const offset = tile * TILE_RECORD_BYTES;
      const stored = await this.#tiles.take(offset, TILE_RECORD_BYTES);
      const place = { entry: tile * 256, offset };
      if (stored === undefined) {
        this.#short.tiles = true;
        this.#problems.add(TILES_FILE, `ends before the record of tile ${tile} at byte ${offset}`, place);
      } else if (!equalBytes(stored, records.subarray(i * TILE_RECORD_BYTES, (i + 1) * TILE_RECORD_BYTES))) {
        const span = `entries ${tile * 256} to ${tile * 256 + 255}`;
        this.#problems.add(TILES_FILE, `the record of tile ${tile} (${span}) is not that of the entries`, place);
      }
    }
  }
}
