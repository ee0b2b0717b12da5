import {
  decodeEntry,
  type Entry,
  EvidenceError,
  type PackedEntries,
  packedEntry,
  RunReplay,
  type RunState,
  scanPlainInference,
} from "@tally/evidence";
import { ConvictionError } from "@tally/ledger";

/** Records of one load within one entry bundle of 256: about a byte a record, and enough to find the bundles to read. */
export interface PackageCount {
  readonly package: number;
  readonly load: number;
  readonly records: number;
}

/** What the index is to hold of entries beyond those it holds already. */
export interface TakenEntries {
  readonly counts: readonly PackageCount[];
  /** The entries that have rows of their own: all but records. */
  readonly others: readonly { readonly index: number; readonly entry: Entry }[];
}

const packageLength = 256;

/**
 * One ledger as the index follows it: ordinals and summaries recomputed entry by entry, straight from bytes where they are records
 * (evidence.md 5), and what is to be written of them.
 */
export class LedgerRun {
  readonly #replay: RunReplay;
  readonly #place = { loadIndex: -1, ordinal: -1 };
  #counts: PackageCount[] = [];
  #others: { index: number; entry: Entry }[] = [];
  /** The package and load that records are being counted of. */
  #counting = { package: -1, load: -1, records: 0 };

  /** @param start what the entries that the index holds came to; undefined where it holds none. */
  constructor(start: RunState | undefined) {
    this.#replay = new RunReplay(start);
  }

  /** Index of the entry that is expected next. */
  get next(): number {
    return this.#replay.next;
  }

  /** Loads of the run, which make up most of its size. */
  get loadCount(): number {
    return this.#replay.loadCount;
  }

  get state(): RunState | undefined {
    return this.#replay.state;
  }

  /** Takes the entries from `next` on. @throws ConvictionError naming the rule that one breaks; the run is then of no more use. */
  take(packed: PackedEntries): void {
    const { bytes, ends } = packed;
    for (let i = 0, from = 0; i < ends.length; i += 1) {
      const to = ends[i]!;
      if (scanPlainInference(bytes, from + 2, to, this.#place)) this.#takeRecord();
      else this.#takeOther(packedEntry(packed, i));
      from = to;
    }
  }

  /** What was taken since the last call. */
  taken(): TakenEntries {
    this.#stopCounting();
    const taken = { counts: this.#counts, others: this.#others };
    this.#counts = [];
    this.#others = [];
    return taken;
  }

  #takeRecord(): void {
    const { loadIndex, ordinal } = this.#place;
    const index = this.#replay.next;
    try {
      this.#replay.takeRecord(loadIndex, ordinal);
    } catch (cause) {
      throw convicting(cause, "");
    }
    this.#count(index, loadIndex);
  }

  #takeOther(bytes: Uint8Array): void {
    const index = this.#replay.next;
    let entry: Entry;
    try {
      entry = decodeEntry(bytes);
    } catch (cause) {
      throw convicting(cause, `entry ${index} is not an entry: `);
    }
    try {
      this.#replay.take(entry);
    } catch (cause) {
      throw convicting(cause, "");
    }
    if (entry.kind === "inference") this.#count(index, entry.loadIndex);
    else this.#others.push({ index, entry });
  }

  #count(index: number, load: number): void {
    const counting = this.#counting;
    const at = Math.floor(index / packageLength);
    if (counting.package !== at || counting.load !== load) {
      this.#stopCounting();
      counting.package = at;
      counting.load = load;
    }
    counting.records += 1;
  }

  #stopCounting(): void {
    if (this.#counting.records > 0) this.#counts.push({ ...this.#counting });
    this.#counting.records = 0;
  }
}

/** What the rules say of an entry convicts its ledger. Anything else that is thrown is a fault of ours. */
function convicting(cause: unknown, before: string): unknown {
  return cause instanceof EvidenceError ? new ConvictionError(before + cause.message, { cause }) : cause;
}
