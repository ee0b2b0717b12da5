import { type Entry, type LoadCount, maxLoadsOfRun } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";

// A device ledger is divided into runs. A run begins at genesis or restart and ends all earlier loads; each record
// names its load and its ordinal under it; summaries and the restart after say what the run held. Whoever has the
// entries in order can recompute all of it, so a wrong ordinal or summary convicts the device by its own entries
// (evidence.md 5). The device writes with this state, the plane checks with it on arrival, the verifier again.

/** A summary stands at least this often; a longer stretch without one is an error of the device. */
export const summaryInterval = 4096;

/** What a ledger has said so far about the run that is open. */
export interface RunState {
  /** Index of the entry that is expected next. */
  readonly next: number;
  /** Index of the genesis or restart that began the run. */
  readonly runStart: number;
  /** Index of the last entry that stated the run's loads: genesis, restart or summary. */
  readonly statedAt: number;
  /** Loads of this run that were accepted, by index, in order. */
  readonly loads: ReadonlyMap<number, Readonly<LoadProgress>>;
}

export interface LoadProgress {
  readonly count: number;
  readonly unloadIndex: number | null;
}

/**
 * Takes the next entry of a device's ledger.
 *
 * @param state what the entries before it came to; undefined before the first.
 * @throws EvidenceError `run-broken` naming the entry and the rule that it breaks.
 */
export function advanceRun(state: RunState | undefined, entry: Entry): RunState {
  return stepRun(state, entry, withLoad);
}

/**
 * The same for a whole slice, entry by entry. It keeps one map of loads for a run, where `advanceRun` copies it for each
 * record: a run may have 2,048 loads, and a slice millions of records.
 */
export class RunReplay {
  #state: Mutable<RunState> | undefined;

  /** @param start what the entries before came to; undefined before the first. */
  constructor(start?: RunState) {
    this.#state = start && copyOf(start);
  }

  /** What the entries so far came to: a copy. */
  get state(): RunState | undefined {
    return this.#state && copyOf(this.#state);
  }

  /** Index of the entry that is expected next. */
  get next(): number {
    return this.#state?.next ?? 0;
  }

  /** How many loads the run has had. */
  get loadCount(): number {
    return this.#state?.loads.size ?? 0;
  }

  /** @throws EvidenceError `run-broken`, after which nothing more can be taken. */
  take(entry: Entry): void {
    this.#state = stepRun(this.#state, entry, (loads, loadIndex, progress) =>
      (loads as Map<number, LoadProgress>).set(loadIndex, progress),
    );
  }

  /** The same for a record of which no more is at hand than this: what `take` makes of it, without an object each. */
  takeRecord(loadIndex: number, ordinal: number): void {
    const state = this.#state;
    if (state === undefined) throw broken(0, "the ledger begins with inference, not with genesis");
    checkInterval(state, state.next);
    const load: Mutable<LoadProgress> = nextOf(state, loadIndex, ordinal);
    load.count += 1;
    state.next += 1;
  }
}

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function copyOf(state: RunState): Mutable<RunState> {
  return { ...state, loads: new Map(Array.from(state.loads, ([index, progress]) => [index, { ...progress }])) };
}

/** The load that a record names, which has to have the record's ordinal as its count. */
export function nextOf(state: RunState, loadIndex: number, ordinal: number): LoadProgress {
  const load = openLoad(state, state.next, loadIndex);
  if (ordinal === load.count) return load;
  throw broken(state.next, `its ordinal under load ${loadIndex} is ${ordinal}, ${load.count} was next`);
}

type Loads = RunState["loads"];
type PutLoad = (loads: Loads, loadIndex: number, progress: LoadProgress) => Loads;

/** The rules of a run, in one place; `put` decides whether a load's progress goes into a copy or into the map that is there. */
export function stepRun(state: RunState | undefined, entry: Entry, put: PutLoad): RunState {
  if (state === undefined) {
    if (entry.kind !== "genesis") throw broken(0, `the ledger begins with ${entry.kind}, not with genesis`);
    return { next: 1, runStart: 0, statedAt: 0, loads: new Map() };
  }
  const index = state.next;
  const { runStart, statedAt, loads } = state;
  const counted = (after: Loads): RunState => ({ next: index + 1, runStart, statedAt, loads: after });
  switch (entry.kind) {
    case "genesis":
      throw broken(index, "a genesis entry stands within a ledger");
    case "restart":
      if (entry.previousRun !== state.runStart) {
        throw broken(index, `the restart names run ${entry.previousRun}, the run before began at ${state.runStart}`);
      }
      compareCounts(index, "the closing list", state, entry.closing);
      return { next: index + 1, runStart: index, statedAt: index, loads: new Map() };
    case "summary":
      if (entry.runStart !== state.runStart) {
        throw broken(index, `the summary names run ${entry.runStart}, the run began at ${state.runStart}`);
      }
      compareCounts(index, "the summary", state, entry.loads);
      return { ...counted(loads), statedAt: index };
    case "load":
      checkInterval(state, index);
      if (entry.outcome !== "accepted") return counted(loads);
      if (loads.size >= maxLoadsOfRun) {
        throw broken(index, `the run has ${maxLoadsOfRun} loads already, and begins no new run for this one`);
      }
      return counted(put(loads, index, { count: 0, unloadIndex: null }));
    case "unload": {
      checkInterval(state, index);
      const load = openLoad(state, index, entry.loadIndex);
      return counted(put(loads, entry.loadIndex, { count: load.count, unloadIndex: index }));
    }
    case "inference": {
      checkInterval(state, index);
      const { count } = nextOf(state, entry.loadIndex, entry.ordinal);
      return counted(put(loads, entry.loadIndex, { count: count + 1, unloadIndex: null }));
    }
    default:
      checkInterval(state, index);
      return counted(loads);
  }
}

/** The state that a restart or summary at `index` states by itself, for readers who begin there. */
export function runStateAt(index: number, entry: Entry): RunState {
  if (entry.kind === "genesis" || entry.kind === "restart") {
    return { next: index + 1, runStart: index, statedAt: index, loads: new Map() };
  }
  if (entry.kind !== "summary") throw broken(index, `${entry.kind} does not state a run`);
  checkStated(index, entry.runStart, entry.loads);
  const loads = entry.loads.map(({ loadIndex, count, unloadIndex }): [number, LoadProgress] => [
    loadIndex,
    { count, unloadIndex },
  ]);
  return { next: index + 1, runStart: entry.runStart, statedAt: index, loads: new Map(loads) };
}

/** The run's loads as a summary or a closing list writes them: in order of their index. */
export function loadCounts(state: RunState): readonly LoadCount[] {
  return [...state.loads]
    .sort(([a], [b]) => a - b)
    .map(([loadIndex, { count, unloadIndex }]) => ({ loadIndex, count, unloadIndex }));
}

function openLoad(state: RunState, index: number, loadIndex: number): LoadProgress {
  const load = state.loads.get(loadIndex);
  if (load === undefined) throw broken(index, `it names load ${loadIndex}, which is no accepted load of this run`);
  if (load.unloadIndex !== null) throw broken(index, `it names load ${loadIndex}, unloaded at ${load.unloadIndex}`);
  return load;
}

// A copy, so that a caller who fails to store what it has just counted still holds the state before. Runs have few loads.
function withLoad(loads: Loads, loadIndex: number, progress: LoadProgress): Loads {
  return new Map(loads).set(loadIndex, progress);
}

export function checkInterval(state: RunState, index: number): void {
  if (index - state.statedAt > summaryInterval) {
    throw broken(index, `no summary stands in the ${summaryInterval} entries after ${state.statedAt}`);
  }
}

/** What a summary states about entries that are not at hand still has to be possible. */
function checkStated(index: number, runStart: number, loads: readonly LoadCount[]): void {
  let before = runStart;
  if (runStart >= index) throw broken(index, `the summary names run ${runStart}, which is not before it`);
  for (const { loadIndex, unloadIndex } of loads) {
    if (loadIndex <= before || loadIndex >= index) {
      throw broken(index, `the summary lists load ${loadIndex} after ${before}, in a run that began at ${runStart}`);
    }
    if (unloadIndex !== null && (unloadIndex <= loadIndex || unloadIndex >= index)) {
      throw broken(index, `the summary has load ${loadIndex} unloaded at ${unloadIndex}`);
    }
    before = loadIndex;
  }
}

function compareCounts(index: number, what: string, state: RunState, stated: readonly LoadCount[]): void {
  const counted = loadCounts(state);
  if (stated.length !== counted.length) {
    throw broken(index, `${what} lists ${stated.length} loads, the run had ${counted.length}`);
  }
  counted.forEach((own, i) => {
    const said = stated[i]!;
    if (said.loadIndex !== own.loadIndex || said.count !== own.count || said.unloadIndex !== own.unloadIndex) {
      throw broken(
        index,
        `${what} gives load ${said.loadIndex} ${said.count} records, the entries give load ${own.loadIndex} ${own.count}`,
      );
    }
  });
}

function broken(index: number, what: string): EvidenceError {
  return new EvidenceError("run-broken", `entry ${index}: ${what}`);
}
