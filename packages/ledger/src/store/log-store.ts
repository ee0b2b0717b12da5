import type { Hash, LeafHash, RootHash } from "@tally/evidence";
import type { Files } from "../files/index.ts";
import type { LogReader } from "../log-reader.ts";

export interface LogStoreOptions {
  /** Folder of this log alone; created when absent. */
  readonly dir: string;
  readonly origin: string;
  readonly files?: Files;
  /** The size and root that were last vouched for (signed, or verified against a signed note). Below it anything missing is damage. */
  readonly sealed?: { readonly size: number; readonly root: RootHash };
  /** `read` repairs nothing, cuts nothing and refuses writes. Default `write`. */
  readonly mode?: "read" | "write";
}

/** What is wrong with stored entries, and from where on. */
export interface Damage {
  /** The first entry that is missing or altered, as far as is known. */
  readonly index: number;
  readonly what: string;
}

/**
 * A log on disk: the part that a ledger and a mirror share. It takes no lock and signs nothing. See store/layout.ts for its files.
 */
export declare class LogStore implements LogReader {
  static open(options: LogStoreOptions): Promise<LogStore>;
  readonly origin: string;
  readonly damage: Damage | undefined;
  get size(): number;
  /** Appends in one commit: resolved means durable. `leaves` are the entries' leaf hashes when the caller has them. Calls run one after another. */
  append(entries: readonly Uint8Array[], leaves?: readonly LeafHash[]): Promise<void>;
  /** Cuts the log back to its first `size` entries, durably. Never below what was sealed. */
  truncate(size: number): Promise<void>;
  /** Makes hashes and tile roots durable too, so that opening need not recompute them; call before vouching for a new size. */
  seal(size: number, root: RootHash): Promise<void>;
  close(): Promise<void>;
  entry(index: number): Promise<Uint8Array>;
  entries(from: number, to: number): AsyncIterable<Uint8Array>;
  leafHash(index: number): Promise<LeafHash>;
  leafHashes(from: number, to: number): AsyncIterable<LeafHash>;
  root(size?: number): Promise<RootHash>;
  node(level: number, index: number): Promise<Hash>;
  inclusionProof(index: number, size: number): Promise<Hash[]>;
  consistencyProof(m: number, n: number): Promise<Hash[]>;
  subtreeConsistencyProof(start: number, end: number, size: number): Promise<Hash[]>;
  rangeProof(lo: number, hi: number, size: number): Promise<{ left: Hash[]; right: Hash[] }>;
  tile(path: string, size: number): Promise<Uint8Array | undefined>;
}
