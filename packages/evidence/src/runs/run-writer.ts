import type { Entry } from "../entries/index.ts";
import { checkInterval, copyOf, type LoadProgress, type Mutable, nextOf, type RunState, stepRun } from "./run-state.ts";

/**
 * A run as the one who writes it keeps it, in two steps: what could not be stored must not be counted. One map holds the
 * loads for as long as the run lasts, where `advanceRun` copies it for each record.
 */
export class RunWriter {
  #state: Mutable<RunState>;
  #next: RunState | undefined;
  #record: Mutable<LoadProgress> | undefined;
  #load: { readonly index: number; readonly progress: LoadProgress } | undefined;

  /** @param start what the entries before came to. */
  constructor(start: RunState) {
    this.#state = copyOf(start);
  }

  /** As of the last `advance`; it changes with the next. */
  get state(): RunState {
    return this.#state;
  }

  /** Whether the entry may stand next. Counts nothing. @throws EvidenceError `run-broken` */
  prepare(entry: Entry): void {
    this.#forget();
    this.#next = stepRun(this.#state, entry, (loads, index, progress) => {
      this.#load = { index, progress };
      return loads;
    });
  }

  /** The same for a record, without an object for it. @throws EvidenceError `run-broken` */
  prepareRecord(loadIndex: number, ordinal: number): void {
    this.#forget();
    checkInterval(this.#state, this.#state.next);
    this.#record = nextOf(this.#state, loadIndex, ordinal);
  }

  /** Counts the entry that was prepared last: it is written now. */
  advance(): void {
    if (this.#record !== undefined) {
      this.#record.count += 1;
      this.#state.next += 1;
    } else if (this.#next !== undefined) {
      this.#state = this.#next;
      const loads = this.#state.loads as Map<number, LoadProgress>;
      if (this.#load !== undefined) loads.set(this.#load.index, this.#load.progress);
    }
    this.#forget();
  }

  #forget(): void {
    this.#next = undefined;
    this.#load = undefined;
    this.#record = undefined;
  }
}
