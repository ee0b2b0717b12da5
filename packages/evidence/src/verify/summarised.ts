import type { RecordsQuestion } from "../bundle/index.ts";
import type { Inference, Load } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { RunReplay, runStateAt } from "../runs/index.ts";
import { type Checklist, Missing } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { checkDelivered, intervalStart, standingIn } from "./interval.ts";
import type { Materials } from "./materials.ts";
import type { LedgerRecords, RecordCount } from "./records.ts";
import type { ProvenEntry } from "./slice.ts";
import { sparseRecords, walkSparse } from "./sparse-entries.ts";
import { type Counts, type Stated, StatedCounts } from "./stated-counts.ts";
import { acceptedLoad } from "./summary.ts";
import type { Bounds } from "./summary-brackets.ts";
import type { Timeline } from "./time-bracket.ts";

const name = "records counted";

/**
 * Finds a ledger's records where the bundle leaves out other entries: all records of the loads that count any between the
 * summaries around the interval, with contiguous ordinals, bounded by what those summaries count or by a record beyond the
 * interval. Relies on the device and the plane not having agreed on a lie (evidence.md 5).
 */
export async function findSummarised(
  question: RecordsQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  materials: Materials,
  checklist: Checklist,
): Promise<LedgerRecords | undefined> {
  const { origin } = ledger.enrolment;
  const size = ledger.head.leaf.mirroredSize;
  const closing = timeline.anchors.find(({ notBefore }) => notBefore >= question.to);
  if (closing === undefined) checkDelivered(question, ledger.head, checklist);
  const bounds = { start: Math.min(intervalStart(question, timeline), size), end: closing?.index ?? size };
  const found = await checklist.attemptAsync(
    name,
    origin,
    async () => {
      const tally = new RecordTally(question, ledger, timeline, bounds);
      await walkSparse(ledger, materials, tally);
      return tally.finish();
    },
    ({ shown, lower, upper }) =>
      `${shown} records with contiguous ordinals, none fewer than entries ${lower} and ${upper} count, or bounded by their neighbours`,
  );
  if (found === undefined) return undefined;
  const inside = ({ index }: ProvenEntry) => index >= bounds.start && index < bounds.end;
  const known = [...ledger.entries.values()].filter(inside);
  const refused = known.flatMap(({ index, entry }) =>
    entry.kind === "load" && entry.outcome !== "accepted" ? [{ origin, index, load: entry }] : [],
  );
  return {
    counts: found.counts,
    pages: sparseRecords(ledger, { question, timeline, loads: found.loads, materials }, found.counts),
    refused,
    gaps: known.filter(({ entry }) => entry.kind === "gap").length,
    summarised: true,
  };
}

interface Shown {
  readonly first: { readonly index: number; readonly ordinal: number };
  last: { readonly index: number; readonly ordinal: number };
}

/** Takes a ledger's sparse entries in order, and says at the end whether any record is missing among them. */
class RecordTally {
  readonly #question: RecordsQuestion;
  readonly #ledger: DeviceLedger;
  readonly #timeline: Timeline;
  readonly #bounds: Bounds;
  readonly #lower: Stated;
  readonly #upper: Stated;
  readonly #grown: Counts;
  readonly #ends: ReadonlyMap<number, number>;
  /** Loads whose records the question asks for. */
  readonly #loads = new Map<number, Load>();
  readonly #shown = new Map<number, Shown>();
  readonly #counts = new Map<string, RecordCount>();
  /** What follows the last summary is replayed entry by entry. */
  readonly #tail: RunReplay;
  #nextOfTail: number;

  constructor(question: RecordsQuestion, ledger: DeviceLedger, timeline: Timeline, bounds: Bounds) {
    this.#question = question;
    this.#ledger = ledger;
    this.#timeline = timeline;
    this.#bounds = bounds;
    const stated = new StatedCounts(ledger.entries);
    this.#lower = stated.lastUpTo(bounds.start)!;
    const found = stated.firstFrom(bounds.end - 1) ?? stated.stated.at(-1)!;
    this.#upper = found.at < this.#lower.at ? this.#lower : found;
    this.#ends = stated.ends;
    this.#grown = stated.between(this.#lower, this.#upper);
    for (const [index, count] of this.#grown) if (count > 0) this.#ask(index, acceptedLoad(ledger, index));
    this.#tail = new RunReplay(runStateAt(this.#upper.at, ledger.entries.get(this.#upper.at)!.entry));
    this.#nextOfTail = this.#upper.at + 1;
  }

  take(proven: ProvenEntry): void {
    const { index, entry } = proven;
    if (index > this.#upper.at) this.#takeTail(proven);
    else if (entry.kind === "inference") this.#takeRecord(index, entry);
  }

  finish() {
    const { end } = this.#bounds;
    if (this.#nextOfTail < end) {
      throw new Missing(`entry ${this.#nextOfTail} follows the last summary and is not in the bundle`);
    }
    for (const index of this.#grown.keys()) if (this.#loads.has(index)) this.#requireAll(index);
    const counts = [...this.#counts.values()];
    const shown = [...this.#shown.values()].reduce((sum, { first, last }) => sum + last.ordinal - first.ordinal + 1, 0);
    return { counts, shown, loads: this.#loads, lower: this.#lower.at, upper: this.#upper.at };
  }

  #ask(index: number, load: Load): void {
    if (this.#question.model === null || load.manifest === this.#question.model) this.#loads.set(index, load);
  }

  #takeTail({ index, entry }: ProvenEntry): void {
    if (index >= this.#bounds.end) return;
    if (index !== this.#nextOfTail)
      throw new Missing(`entry ${this.#nextOfTail} follows the last summary and is left out`);
    this.#nextOfTail += 1;
    if (entry.kind === "not-understood") throw new Missing(`entry ${index} may be anything: ${entry.reason}`);
    this.#tail.take(entry);
    if (entry.kind !== "inference") return;
    if (!this.#loads.has(entry.loadIndex)) this.#ask(entry.loadIndex, acceptedLoad(this.#ledger, entry.loadIndex));
    if (this.#loads.has(entry.loadIndex)) this.#count(index, entry.loadIndex);
  }

  #takeRecord(index: number, { loadIndex, ordinal }: Inference): void {
    const load = this.#loads.get(loadIndex);
    if (load === undefined || !this.#grown.has(loadIndex)) {
      throw broken(index, `it names load ${loadIndex}, which counts no records here that the question asks for`);
    }
    const place = { index, ordinal };
    const shown = this.#shown.get(loadIndex);
    if (index <= loadIndex || index > (this.#ends.get(loadIndex) ?? index)) {
      throw broken(index, `it names load ${loadIndex}, which was not loaded then`);
    }
    if (shown === undefined) this.#shown.set(loadIndex, { first: place, last: place });
    else if (ordinal > shown.last.ordinal + 1) {
      throw new Missing(`records ${shown.last.ordinal + 1} to ${ordinal} under load ${loadIndex} are left out`);
    } else if (ordinal !== shown.last.ordinal + 1) {
      throw broken(index, `its ordinal ${ordinal} follows ${shown.last.ordinal} under load ${loadIndex}`);
    } else shown.last = place;
    this.#count(index, loadIndex);
  }

  /** Between the counts of the two summaries every ordinal is here, or beyond the interval. */
  #requireAll(loadIndex: number): void {
    const begins = this.#lower.loads.get(loadIndex)?.count ?? 0;
    const ends = begins + this.#grown.get(loadIndex)!;
    const shown = this.#shown.get(loadIndex);
    if (shown === undefined) throw new Missing(`records ${begins} to ${ends} under load ${loadIndex} are left out`);
    const { first, last } = shown;
    if (first.ordinal < begins || last.ordinal >= ends) {
      throw broken(last.index, `it has ordinal ${last.ordinal} where its summaries count ${begins} to ${ends}`);
    }
    if (first.ordinal > begins && first.index >= this.#bounds.start) {
      throw new Missing(`records ${begins} to ${first.ordinal} under load ${loadIndex} are left out`);
    }
    if (last.ordinal < ends - 1 && last.index < this.#bounds.end) {
      throw new Missing(`records ${last.ordinal + 1} to ${ends} under load ${loadIndex} are left out`);
    }
  }

  #count(index: number, loadIndex: number): void {
    const standing = standingIn(this.#question, this.#ledger, this.#timeline.bracket(index));
    if (standing === undefined) return;
    const { manifest: model } = this.#loads.get(loadIndex)!;
    const key = `${standing} ${model}`;
    this.#counts.set(key, { model, standing, count: (this.#counts.get(key)?.count ?? 0) + 1 });
  }
}

function broken(index: number, what: string): EvidenceError {
  return new EvidenceError("run-broken", `entry ${index}: ${what}`);
}
