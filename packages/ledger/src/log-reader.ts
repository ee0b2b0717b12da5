import type { Hash, LeafHash, RootHash } from "@tally/evidence";

/**
 * An append-only log that can be read and proven from. Sizes and indices count entries; everything asked for must lie
 * within `size`, else LedgerError `out-of-range`. Entries are checked against their leaf hash when read: a reader never
 * gets bytes other than those that were committed (LedgerError `damaged` instead).
 */
export interface LogReader {
  /** The log's name, as in its checkpoints. */
  readonly origin: string;
  /** How many entries are durable and readable. */
  readonly size: number;
  entry(index: number): Promise<Uint8Array>;
  /** Entries [from, to) in order. */
  entries(from: number, to: number): AsyncIterable<Uint8Array>;
  leafHash(index: number): Promise<LeafHash>;
  /** Level-0 hashes [from, to) in order. */
  leafHashes(from: number, to: number): AsyncIterable<LeafHash>;
  /** Root of the first `size` entries, of all when left out. */
  root(size?: number): Promise<RootHash>;
  /** Root of the perfect subtree over entries [index·2^level, (index+1)·2^level), which must be complete. */
  node(level: number, index: number): Promise<Hash>;
  /** RFC 9162 2.1.3. */
  inclusionProof(index: number, size: number): Promise<Hash[]>;
  /** RFC 9162 2.1.4, from the tree of size m to that of size n; empty when m is 0 or n. */
  consistencyProof(m: number, n: number): Promise<Hash[]>;
  /** C2SP tlog-mirror: from the subtree [start, end) to the tree of `size`. */
  subtreeConsistencyProof(start: number, end: number, size: number): Promise<Hash[]>;
  /** What the entries [lo, hi) lack to recompute the root of `size`: perfect subtrees to the left and to the right. */
  rangeProof(lo: number, hi: number, size: number): Promise<{ left: Hash[]; right: Hash[] }>;
  /**
   * A resource of C2SP tlog-tiles for the tree of `size`: `tile/0/x001/234`, `tile/1/000.p/5`, `tile/entries/003`.
   * Undefined for a path that names no tile of that tree; undefined also for a malformed path.
   */
  tile(path: string, size: number): Promise<Uint8Array | undefined>;
}
