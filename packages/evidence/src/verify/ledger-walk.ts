import type { EntriesView } from "../bundle/index.ts";
import { decodeEntry, type Entry, type Load, scanPlainInference } from "../entries/index.ts";
import { hashLeaf } from "../merkle/index.ts";
import { RunReplay, runStateAt } from "../runs/index.ts";
import type { ProvenEntry, SliceReader } from "./slice.ts";

/** What a walk through a ledger has to know beforehand. */
export interface WalkPlan {
  /** Entries below this one are of no interest to the question; their places in their runs are checked all the same. */
  readonly start: number;
  /** Sizes of the ledger's proven heads, in order: times change at them. */
  readonly sizes: readonly number[];
  /** The one record to keep, for a receipt. */
  readonly record?: number;
  /** From here on, what states runs is kept: for counts, and for the run of a receipt's record. */
  readonly keepFrom?: number;
}

/** Records of one load among consecutive entries. */
export interface LoadRecords {
  readonly loadIndex: number;
  /** Index of the first of them. */
  readonly first: number;
  count: number;
}

/** Consecutive entries of one member which one bracket has for all, and the records among them. */
export interface Span {
  readonly from: number;
  /** Number of the member that holds them, among the ledger's slices. */
  readonly slice: number;
  readonly loads: LoadRecords[];
}

/**
 * Replays a ledger's entries as they are proven, so that ordinals, loads and summaries are recomputed rather than believed.
 * It keeps counts, and of the entries only those that others are judged by: memory grows with loads, anchors and slices, not
 * with records.
 */
export class LedgerWalk implements SliceReader {
  readonly spans: Span[] = [];
  /** Entries to judge others by, by index. */
  readonly kept = new Map<number, ProvenEntry>();
  readonly refused: { index: number; load: Load }[] = [];
  /** Gap entries. */
  gaps = 0;
  /** Entries that are not understood, and the first of them. */
  notUnderstood: { count: number; readonly index: number; readonly reason: string } | undefined;
  /** What breaks the rules of runs, from which on nothing is counted. */
  broken: { readonly error: unknown } | undefined;

  readonly #plan: WalkPlan;
  readonly #plain = { loadIndex: 0, ordinal: 0 };
  #run: RunReplay | undefined;
  #slices = 0;
  #span: Span | undefined;
  #load: LoadRecords | undefined;
  #nextSize = 0;

  constructor(plan: WalkPlan) {
    this.#plan = plan;
  }

  take(view: EntriesView): void {
    const { bytes, starts, ends, length, from } = view;
    const plain = this.#plain;
    this.#span = undefined;
    for (let i = 0; i < length; i += 1) {
      const start = starts[i]!;
      const end = ends[i]!;
      const index = from + i;
      const short =
        this.#run !== undefined && index !== this.#plan.record && scanPlainInference(bytes, start, end, plain);
      if (short) this.#record(this.#run!, index, plain.loadIndex, plain.ordinal);
      else this.#entry(index, bytes.slice(start, end));
    }
    this.#slices += 1;
  }

  #entry(index: number, bytes: Uint8Array): void {
    const entry = decodeEntry(bytes);
    if (this.#run !== undefined && entry.kind === "inference") {
      this.#record(this.#run, index, entry.loadIndex, entry.ordinal);
    } else this.#replay(index, entry);
    if (this.#isKept(index, entry)) this.kept.set(index, { index, entry, leaf: hashLeaf(bytes) });
    // An anchor is in the time of what comes after it.
    if (entry.kind === "anchor") this.#span = undefined;
    if (index < this.#plan.start) return;
    if (entry.kind === "gap") this.gaps += 1;
    if (entry.kind === "load" && entry.outcome !== "accepted") this.refused.push({ index, load: entry });
    if (entry.kind === "not-understood") {
      this.notUnderstood ??= { count: 0, index, reason: entry.reason };
      this.notUnderstood.count += 1;
    }
  }

  #record(run: RunReplay, index: number, loadIndex: number, ordinal: number): void {
    if (this.broken !== undefined) return;
    try {
      run.takeRecord(loadIndex, ordinal);
    } catch (error) {
      this.broken = { error };
      return;
    }
    if (index >= this.#plan.start) this.#count(index, loadIndex);
  }

  #replay(index: number, entry: Entry): void {
    if (this.broken !== undefined) return;
    try {
      if (this.#run !== undefined) this.#run.take(entry);
      else if (index > 0) this.#run = new RunReplay(runStateAt(index, entry));
      else {
        const run = new RunReplay();
        run.take(entry);
        this.#run = run;
      }
    } catch (error) {
      this.broken = { error };
    }
  }

  #count(index: number, loadIndex: number): void {
    const { sizes } = this.#plan;
    while (index >= (sizes[this.#nextSize] ?? Number.POSITIVE_INFINITY)) {
      this.#nextSize += 1;
      this.#span = undefined;
    }
    let span = this.#span;
    if (span === undefined) {
      span = { from: index, slice: this.#slices, loads: [] };
      this.spans.push(span);
      this.#span = span;
      this.#load = undefined;
    }
    if (this.#load?.loadIndex !== loadIndex) {
      this.#load = span.loads.find((load) => load.loadIndex === loadIndex);
      if (this.#load === undefined) {
        this.#load = { loadIndex, first: index, count: 0 };
        span.loads.push(this.#load);
      }
    }
    this.#load.count += 1;
  }

  #isKept(index: number, { kind }: Entry): boolean {
    if (kind === "genesis" || kind === "load" || kind === "anchor") return true;
    const { record, keepFrom } = this.#plan;
    if (index === record) return true;
    return keepFrom !== undefined && index >= keepFrom && (kind === "summary" || kind === "restart" || kind === "gap");
  }
}
