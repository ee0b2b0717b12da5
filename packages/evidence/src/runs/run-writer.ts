import type { Entry } from "../entries/index.ts";
import { type LoadProgress, type RunState, stepRun } from "./run-state.ts";

/**
 * A run as the one who writes it keeps it, in two steps: what could not be stored must not be counted. One map holds the
 * loads for as long as the run lasts, where `advanceRun` copies it for each record.
 */
export class RunWriter {
  #state: RunState;
  #next: RunState | undefined;
  #load: { readonly index: number; readonly progress: LoadProgress } | undefined;

  /** @param start what the entries before came to. */
  constructor(start: RunState) {
    this.#state = { ...start, loads: new Map(start.loads) };
  }

  /** As of the last `advance`, to be read before the next. */
  get state(): RunState {
    return this.#state;
  }

  /** Whether the entry may stand next. Counts nothing. @throws EvidenceError `run-broken` */
  prepare(entry: Entry): void {
    this.#load = undefined;
    this.#next = undefined;
    this.#next = stepRun(this.#state, entry, (loads, index, progress) => {
      this.#load = { index, progress };
      return loads;
    });
  }

  /** Counts the entry that was prepared last: it is written now. */
  advance(): void {
    if (this.#next === undefined) return;
    this.#state = this.#next;
    this.#next = undefined;
    if (this.#load !== undefined)
      (this.#state.loads as Map<number, LoadProgress>).set(this.#load.index, this.#load.progress);
  }
}
