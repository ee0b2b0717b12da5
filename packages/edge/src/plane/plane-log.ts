import {
  consistencyRanges,
  decodeTile,
  type Hash,
  proofFromRanges,
  rootOf,
  tileOfNode,
  tilePath,
  widthInTree,
} from "@tally/evidence";
import { askPlane, type TokenSource, textOf } from "./http.ts";

/** The plane's log as it is served to everyone: a checkpoint and tiles (C2SP tlog-tiles). */
export class PlaneLog {
  readonly #url: string;
  readonly #session: TokenSource;
  readonly #signal: AbortSignal | undefined;

  constructor(url: string, session: TokenSource, signal?: AbortSignal) {
    this.#url = url;
    this.#session = session;
    this.#signal = signal;
  }

  /** The newest cosigned checkpoint, unverified. */
  async checkpoint(): Promise<string> {
    return textOf(await this.#get("/log/checkpoint"));
  }

  /**
   * Proof that the tree of `n` entries begins with that of `m`, put together from tiles. It is as good as its check:
   * whoever gets it verifies it against both roots.
   */
  consistencyProof(m: number, n: number): Promise<Hash[]> {
    if (m === 0 || m === n) return Promise.resolve([]);
    const tiles = new Map<string, Promise<Hash[]>>();
    const tile = (path: string): Promise<Hash[]> => {
      const known = tiles.get(path) ?? this.#get(`/log/${path}`).then(decodeTile);
      tiles.set(path, known);
      return known;
    };
    return proofFromRanges(consistencyRanges(m, n), async (level, index) => {
      const place = tileOfNode(level, index);
      const hashes = await tile(tilePath(place.level, place.index, widthInTree(place.level, place.index, n)));
      return rootOf(hashes.slice(place.from, place.from + place.count));
    });
  }

  async #get(path: string): Promise<Uint8Array> {
    return (await askPlane(this.#url, { method: "GET", path, session: this.#session, signal: this.#signal })).bytes;
  }
}
