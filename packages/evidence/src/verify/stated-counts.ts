import type { LoadCount } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { runStateAt } from "../runs/index.ts";
import { Missing } from "./check.ts";
import type { ProvenEntry } from "./slice.ts";

/** What the entry at `at` (genesis, restart or summary) says of the run that is open there. */
export interface Stated {
  readonly at: number;
  /** Index of the genesis or restart that began the run. */
  readonly runStart: number;
  readonly loads: ReadonlyMap<number, LoadCount>;
}

/** Records by the index of their load. */
export type Counts = Map<number, number>;

/**
 * What a ledger's proven entries state about its records, without the records: every genesis, restart and summary at hand,
 * in order. Runs are chained by the closing lists of the restarts between them (evidence.md 5).
 */
export class StatedCounts {
  /** By index. */
  readonly stated: readonly Stated[];
  /** By load: the entry that unloaded it, or that ended its run, as far as that is stated. No record of it follows. */
  readonly ends: ReadonlyMap<number, number>;
  readonly #entries: ReadonlyMap<number, ProvenEntry>;

  /** @throws EvidenceError `run-broken` where an entry states what cannot be. */
  constructor(entries: ReadonlyMap<number, ProvenEntry>) {
    this.#entries = entries;
    this.stated = [...entries.values()]
      .filter(({ entry: { kind } }) => kind === "genesis" || kind === "restart" || kind === "summary")
      .map((proven) => statedBy(proven))
      .sort((a, b) => a.at - b.at);
    const ends = new Map<number, number>();
    for (const { index, entry } of entries.values()) {
      const lists = entry.kind === "summary" ? entry.loads : entry.kind === "restart" ? entry.closing : [];
      for (const { loadIndex, unloadIndex } of lists) {
        if (unloadIndex !== null) ends.set(loadIndex, unloadIndex);
        else if (entry.kind === "restart") ends.set(loadIndex, index);
      }
    }
    this.ends = ends;
  }

  /** The last one at or below `index`. */
  lastUpTo(index: number): Stated | undefined {
    return this.stated.findLast(({ at }) => at <= index);
  }

  /** The first one at or above `index`. */
  firstFrom(index: number): Stated | undefined {
    return this.stated.find(({ at }) => at >= index);
  }

  /**
   * Records between two of them, as all that are stated on the way agree.
   *
   * @throws EvidenceError `run-broken` where two of them contradict each other; Missing where a run's beginning is not here.
   */
  between(lower: Stated, upper: Stated): Counts {
    const sum: Counts = new Map();
    const way = this.stated.filter(({ at }) => at >= lower.at && at <= upper.at);
    for (const [i, later] of way.entries()) {
      const earlier = way[i - 1];
      if (earlier === undefined) continue;
      for (const [load, count] of this.#step(earlier, later)) sum.set(load, (sum.get(load) ?? 0) + count);
    }
    return sum;
  }

  /** Restarts of the runs that were open between the two, newest first, the one that `upper` belongs to included. */
  runsBetween(lower: Stated, upper: Stated): readonly ProvenEntry[] {
    const restarts: ProvenEntry[] = [];
    for (let run = upper.runStart; run > lower.at; ) {
      const restart = this.#restart(run);
      restarts.push(restart.proven);
      run = restart.previousRun;
    }
    return restarts;
  }

  #step(earlier: Stated, later: Stated): Counts {
    const counts: Counts = new Map();
    let { loads, runStart } = later;
    while (runStart !== earlier.runStart) {
      if (runStart <= earlier.at) {
        throw broken(later.at, `it belongs to run ${runStart}, entry ${earlier.at} to run ${earlier.runStart}`);
      }
      for (const [index, { count }] of loads) counts.set(index, count);
      const restart = this.#restart(runStart);
      loads = restart.closing;
      runStart = restart.previousRun;
    }
    for (const [index, { count }] of grownFrom(earlier, loads, later.at)) counts.set(index, count);
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    if (total > later.at - earlier.at - 1) {
      throw broken(later.at, `it counts ${total} records since entry ${earlier.at}, which there is no room for`);
    }
    return counts;
  }

  #restart(index: number) {
    const proven = this.#entries.get(index);
    if (proven === undefined) throw new Missing(`entry ${index}, which began a run, is not in the bundle`);
    const { entry } = proven;
    if (entry.kind !== "restart") throw broken(index, `a run is said to begin here, and it is ${entry.kind}`);
    const { previousRun, closing } = entry;
    return { proven, previousRun, closing: listed(index, previousRun, closing) };
  }
}

function statedBy({ index: at, entry }: ProvenEntry): Stated {
  if (entry.kind === "summary") {
    return { at, runStart: entry.runStart, loads: listed(at, entry.runStart, entry.loads) };
  }
  // What a restart says of the run before is read where the runs are chained.
  return { at, runStart: at, loads: new Map() };
}

/** A list that a summary, or a restart, states for the run from `runStart` on, if it is possible at all. */
function listed(at: number, runStart: number, loads: readonly LoadCount[]): ReadonlyMap<number, LoadCount> {
  runStateAt(at, { kind: "summary", time: 0, runStart, loads });
  for (const { loadIndex, count, unloadIndex } of loads) {
    if (count > (unloadIndex ?? at) - loadIndex - 1) {
      throw broken(at, `it counts ${count} records under load ${loadIndex}, which there is no room for`);
    }
  }
  return new Map(loads.map((load) => [load.loadIndex, load]));
}

/** What a run's later list counts more than its earlier one. Nothing that was stated goes away again. */
function grownFrom(earlier: Stated, later: ReadonlyMap<number, LoadCount>, at: number): ReadonlyMap<number, LoadCount> {
  const grown = new Map<number, LoadCount>();
  for (const [index, load] of later) {
    const before = earlier.loads.get(index);
    if (before === undefined && index < earlier.at) {
      throw broken(at, `it lists load ${index}, of which entry ${earlier.at} knows nothing`);
    }
    grown.set(index, { ...load, count: load.count - (before?.count ?? 0) });
  }
  for (const [index, { count, unloadIndex }] of earlier.loads) {
    const load = later.get(index);
    if (load === undefined) throw broken(at, `it leaves out load ${index}, which entry ${earlier.at} lists`);
    const closed = unloadIndex !== null;
    const same = load.count === count && load.unloadIndex === unloadIndex;
    const late = load.unloadIndex === null || load.unloadIndex > earlier.at;
    if (closed ? !same : load.count < count || !late) {
      throw broken(at, `it has load ${index} with ${load.count} records, entry ${earlier.at} with ${count}`);
    }
  }
  return grown;
}

function broken(index: number, what: string): EvidenceError {
  return new EvidenceError("run-broken", `entry ${index}: ${what}`);
}
