import { decodeTile, type Hash, rootOf, tileOfNode, tilePath, widthInTree } from "@tally/evidence";

/** Tiles kept at a time: a proof in a tree of 2^40 entries needs no more than a few of each level. */
const keptTiles = 64;

/** Nodes of a tree of `size` entries that somebody serves as C2SP tiles. As good as the proofs that are made of them. */
export class TileNodes {
  readonly #size: number;
  readonly #fetch: (path: string) => Promise<Uint8Array>;
  readonly #tiles = new Map<string, Promise<Hash[]>>();

  constructor(size: number, fetch: (path: string) => Promise<Uint8Array>) {
    this.#size = size;
    this.#fetch = fetch;
  }

  /** Root of the perfect subtree over entries [index·2^level, (index+1)·2^level). */
  readonly node = async (level: number, index: number): Promise<Hash> => {
    const place = tileOfNode(level, index);
    const path = tilePath(place.level, place.index, widthInTree(place.level, place.index, this.#size));
    const hashes = await this.#tile(path);
    return rootOf(hashes.slice(place.from, place.from + place.count));
  };

  #tile(path: string): Promise<Hash[]> {
    const known = this.#tiles.get(path);
    if (known !== undefined) return known;
    const [oldest] = this.#tiles.keys();
    if (this.#tiles.size >= keptTiles && oldest !== undefined) this.#tiles.delete(oldest);
    const tile = this.#fetch(path).then(decodeTile);
    this.#tiles.set(path, tile);
    return tile;
  }
}
