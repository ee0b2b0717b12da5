import type { SummaryQuestion } from "../bundle/index.ts";
import type { Digest } from "../digest.ts";
import type { Load } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { type Checklist, Missing } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { checkDelivered, intervalStart } from "./interval.ts";
import { type Counts, type Stated, StatedCounts } from "./stated-counts.ts";
import { type Bounds, type BracketWidths, bracketWidths } from "./summary-brackets.ts";
import type { Timeline } from "./time-bracket.ts";

/** How many records one ledger has of one model, as its summaries state it. */
export interface ModelCount {
  readonly model: Digest | null;
  /** Records that are inside the interval for certain, at least so many. */
  readonly atLeast: number;
  /** Records that may be inside it, at most so many. */
  readonly atMost: number;
  /** Its loads under which they were made. */
  readonly loads: number;
  /** Runtime and provider of these loads, each once: "onnxruntime 1.29.0, cpu". */
  readonly runtimes: readonly string[];
}

/** What the summaries of one ledger say of the interval. */
export interface LedgerSummary {
  readonly origin: string;
  readonly deviceId: string;
  readonly models: readonly ModelCount[];
  readonly atLeast: number;
  readonly atMost: number;
  /** Of the difference, how many are not proven to be older than the compromise of the ledger's keys. */
  readonly keyRevoked: number;
  /** Entries after the last summary that may be of the interval, and may be records of any model. In `atMost`. */
  readonly uncounted: number;
  /** Versions of Tally that began a run in the interval. */
  readonly tallyVersions: readonly string[];
  /** Gap entries that the bundle shows. A summary does not count gaps, so there may be others. */
  readonly gaps: number;
  readonly brackets: BracketWidths;
}

const name = { counts: "counts", load: "loads counted" };

/** Counts one ledger's records from what its summaries state just outside and just inside the interval's bounds. */
export function summariseLedger(
  question: SummaryQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  checklist: Checklist,
): LedgerSummary | undefined {
  const { origin, deviceId } = ledger.enrolment;
  const size = ledger.head.leaf.mirroredSize;
  const start = Math.min(intervalStart(question, timeline), size);
  const closing = timeline.anchors.find(({ notBefore }) => notBefore >= question.to);
  if (closing === undefined) checkDelivered(question, ledger.head, checklist);
  const end = closing?.index ?? size;
  const counted = checklist.attempt(
    name.counts,
    origin,
    () => count(question, ledger, timeline, { start, end }),
    ({ lower, upper, uncounted }) =>
      `entries ${lower.at} and ${upper.at} state it, the runs between them are chained${uncounted === 0 ? "" : `; ${uncounted} entries after them are in no summary`}`,
  );
  if (counted === undefined) return undefined;
  const models = checklist.attempt(
    name.load,
    origin,
    () => byModel(question, ledger, counted),
    (list) => `every load that was counted is here: ${list.reduce((sum, { loads }) => sum + loads, 0)}`,
  );
  if (models === undefined) return undefined;
  const total = (which: "atLeast" | "atMost") => models.reduce((sum, model) => sum + model[which], 0);
  const atMost = total("atMost") + counted.uncounted;
  const gaps = [...ledger.entries.values()].filter(
    ({ index, entry }) => entry.kind === "gap" && index >= start && index < end,
  );
  return {
    origin,
    deviceId,
    models,
    atLeast: total("atLeast"),
    atMost,
    keyRevoked: revokedOf(question, ledger, counted),
    uncounted: counted.uncounted,
    tallyVersions: counted.versions,
    gaps: gaps.length,
    brackets: bracketWidths(question, timeline, { start, end }),
  };
}

interface Counted {
  readonly lower: Stated;
  readonly upper: Stated;
  readonly most: Counts;
  readonly least: Counts;
  /** Of those in `most`, what was made under keys that may have been stolen by then. */
  readonly revoked: Counts;
  readonly uncounted: number;
  readonly versions: readonly string[];
}

function count(question: SummaryQuestion, ledger: DeviceLedger, timeline: Timeline, { start, end }: Bounds): Counted {
  const counts = new StatedCounts(ledger.entries);
  // Genesis is always at hand and states a run without loads.
  const lower = counts.lastUpTo(start)!;
  const found = counts.firstFrom(end - 1) ?? counts.stated.at(-1)!;
  const upper = found.at < lower.at ? lower : found;
  const within = (stated: Stated | undefined): Stated | undefined =>
    stated !== undefined && stated.at >= lower.at && stated.at <= upper.at ? stated : undefined;

  const opening = timeline.anchors.find(({ notBefore }) => notBefore >= question.from);
  const first = opening && within(counts.firstFrom(opening.index));
  const compromise = compromiseOf(ledger);
  const last = within(counts.lastUpTo(sizeBefore(Math.min(question.to, compromise), timeline)));
  const safe = within(counts.lastUpTo(sizeBefore(compromise, timeline))) ?? lower;
  const none: Counts = new Map();
  const certain = first !== undefined && last !== undefined && first.at < last.at;
  return {
    lower,
    upper,
    most: counts.between(lower, upper),
    least: certain ? counts.between(first, last) : none,
    revoked: ledger.enrolment.revoked === undefined ? none : counts.between(safe, upper),
    uncounted: Math.max(0, end - 1 - upper.at),
    versions: unique(
      counts.runsBetween(lower, upper).flatMap(({ entry }) => (entry.kind === "restart" ? [entry.tallyVersion] : [])),
    ),
  };
}

/** Milliseconds: what a head proves to be older counts in spite of a revocation. */
function compromiseOf({ enrolment: { revoked } }: DeviceLedger): number {
  if (revoked === undefined) return Number.POSITIVE_INFINITY;
  return revoked.compromiseTime ?? Number.NEGATIVE_INFINITY;
}

/** The largest size that a head proves to be older than that. */
function sizeBefore(time: number, timeline: Timeline): number {
  return timeline.heads.reduce((size, head) => (head.notAfter < time ? Math.max(size, head.size) : size), 0);
}

function byModel(question: SummaryQuestion, ledger: DeviceLedger, { most, least }: Counted): readonly ModelCount[] {
  const loads = [...most].filter(([, n]) => n > 0).map(([index]) => ({ index, load: acceptedLoad(ledger, index) }));
  const wanted = loads.filter(({ load }) => question.model === null || load.manifest === question.model);
  return [...Map.groupBy(wanted, ({ load }) => load.manifest)].map(([model, own]) => ({
    model,
    atLeast: sumOf(least, own),
    atMost: sumOf(most, own),
    loads: own.length,
    runtimes: unique(own.map(({ load: { runtime, provider } }) => `${runtime}, ${provider}`)),
  }));
}

function revokedOf(question: SummaryQuestion, ledger: DeviceLedger, { revoked, uncounted }: Counted): number {
  if (ledger.enrolment.revoked === undefined) return 0;
  const wanted = [...revoked].filter(
    ([index, n]) => n > 0 && (question.model === null || acceptedLoad(ledger, index).manifest === question.model),
  );
  return wanted.reduce((sum, [, n]) => sum + n, uncounted);
}

/** A load that a list names, and which has to be here to say of which model it is. */
export function acceptedLoad(ledger: DeviceLedger, index: number): Load {
  const load = ledger.entries.get(index)?.entry;
  if (load === undefined) throw new Missing(`load ${index} has records and is not in the bundle`);
  if (load.kind !== "load" || load.outcome !== "accepted") {
    throw new EvidenceError("run-broken", `entry ${index} is said to be a load that was accepted, and is not`);
  }
  return load;
}

function sumOf(counts: Counts, loads: readonly { readonly index: number }[]): number {
  return loads.reduce((sum, { index }) => sum + (counts.get(index) ?? 0), 0);
}

function unique(list: readonly string[]): readonly string[] {
  return [...new Set(list)].sort();
}
