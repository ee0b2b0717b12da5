import {
  asLeafHash,
  asRootHash,
  consistencyRanges,
  emptyRoot,
  Frontier,
  type Hash,
  inclusionRanges,
  type LeafHash,
  perfectNodes,
  proofFromRanges,
  type RootHash,
  rangeProofNodes,
  subtreeConsistencyRanges,
} from "@tally/evidence";
import { LedgerError } from "../error.ts";
import type { LogReader } from "../log-reader.ts";
import { readTile } from "./tiles.ts";

/** Everything of a LogReader that follows from its entries and its nodes. */
export abstract class ProvingLog implements LogReader {
  abstract readonly origin: string;
  abstract get size(): number;
  abstract entries(from: number, to: number): AsyncIterable<Uint8Array>;
  abstract node(level: number, index: number): Promise<Hash>;

  async entry(index: number): Promise<Uint8Array> {
    this.within(index + 1, index);
    for await (const entry of this.entries(index, index + 1)) return entry;
    throw new LedgerError("out-of-range", `${this.origin} has no entry ${index}`);
  }

  async leafHash(index: number): Promise<LeafHash> {
    return asLeafHash(await this.node(0, index));
  }

  async *leafHashes(from: number, to: number): AsyncGenerator<LeafHash> {
    this.within(to, from);
    for (let index = from; index < to; index += 1) yield await this.leafHash(index);
  }

  async root(size = this.size): Promise<RootHash> {
    this.within(size);
    if (size === 0) return emptyRoot;
    const hashes = await this.#nodes(perfectNodes([0, size]));
    return asRootHash(Frontier.from(size, hashes).root());
  }

  async inclusionProof(index: number, size: number): Promise<Hash[]> {
    this.within(size, index + 1);
    return proofFromRanges(inclusionRanges(index, size), (level, at) => this.node(level, at));
  }

  async consistencyProof(m: number, n: number): Promise<Hash[]> {
    this.within(n, m);
    if (m === 0 || m === n) return [];
    return proofFromRanges(consistencyRanges(m, n), (level, index) => this.node(level, index));
  }

  async subtreeConsistencyProof(start: number, end: number, size: number): Promise<Hash[]> {
    this.within(end, start);
    this.within(size, end);
    return proofFromRanges(subtreeConsistencyRanges(start, end, size), (level, index) => this.node(level, index));
  }

  async rangeProof(lo: number, hi: number, size: number): Promise<{ left: Hash[]; right: Hash[] }> {
    this.within(hi, lo);
    this.within(size, hi);
    const { left, right } = rangeProofNodes(lo, hi, size);
    return { left: await this.#nodes(left), right: await this.#nodes(right) };
  }

  async tile(path: string, size: number): Promise<Uint8Array | undefined> {
    this.within(size);
    return readTile(this, path, size);
  }

  /** LedgerError `out-of-range` unless 0 ≤ from ≤ to ≤ size, in whole numbers. */
  protected within(to: number, from = 0): void {
    const whole = Number.isSafeInteger(from) && Number.isSafeInteger(to);
    if (whole && from >= 0 && from <= to && to <= this.size) return;
    throw new LedgerError("out-of-range", `${this.origin} has ${this.size} entries; asked for ${from} to ${to}`);
  }

  #nodes(ids: readonly { level: number; index: number }[]): Promise<Hash[]> {
    return Promise.all(ids.map(({ level, index }) => this.node(level, index)));
  }
}
