import { consistencyRanges, type Hash, proofFromRanges } from "@tally/evidence";
import { askPlane, type TokenSource, textOf } from "./http.ts";
import { TileNodes } from "./tile-nodes.ts";

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
    return proofFromRanges(consistencyRanges(m, n), new TileNodes(n, (path) => this.#get(`/log/${path}`)).node);
  }

  async #get(path: string): Promise<Uint8Array> {
    return (await askPlane(this.#url, { method: "GET", path, session: this.#session, signal: this.#signal })).bytes;
  }
}
