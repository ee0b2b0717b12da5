import type { RecordsQuestion } from "../bundle/index.ts";
import type { Digest } from "../digest.ts";
import type { Load } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { type Checklist, Missing } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { checkBounds, type RecordStanding, standingIn } from "./interval.ts";
import type { Span } from "./ledger-walk.ts";
import type { Materials } from "./materials.ts";
import type { RecordPages } from "./record-pages.ts";
import { type AnsweredSpan, sliceRecords } from "./slice-records.ts";
import type { Timeline } from "./time-bracket.ts";

/** A model load that a device refused, within the slice that was asked about. */
export interface RefusedLoad {
  readonly origin: string;
  readonly index: number;
  readonly load: Load;
}

/** Records of one model and standing. */
export interface RecordCount {
  readonly model: Digest | null;
  readonly standing: RecordStanding;
  readonly count: number;
}

export interface LedgerRecords {
  readonly counts: readonly RecordCount[];
  readonly pages: RecordPages;
  readonly refused: readonly RefusedLoad[];
  /** Gap entries within the interval. */
  readonly gaps: number;
  /** Other entries were left out: that no record is, rests on what the ledger's summaries count. */
  readonly summarised?: true;
}

const name = { ordinals: "ordinals", understood: "entries understood" };

/**
 * Finds a ledger's records for the question. Every entry of the slice was replayed, so ordinals, loads and summaries
 * were recomputed rather than believed; here each stretch of records gets its time and its load.
 */
export function findRecords(
  question: RecordsQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  materials: Materials,
  checklist: Checklist,
): LedgerRecords | undefined {
  if (!checkBounds(question, ledger, timeline, checklist)) return undefined;
  const { origin } = ledger.enrolment;
  const spans = checklist.attempt(
    name.ordinals,
    origin,
    () => {
      if (ledger.walk.broken !== undefined) throw ledger.walk.broken.error;
      return ledger.walk.spans.flatMap((span) => answerSpan(question, ledger, timeline, span) ?? []);
    },
    () => `${ledger.to - ledger.from} entries replayed: every record has its place under its load, every summary holds`,
  );
  if (spans === undefined) return undefined;
  checkUnderstood(ledger, checklist);
  const { refused, gaps } = ledger.walk;
  return {
    counts: spans.flatMap(countsOf),
    pages: sliceRecords(ledger, spans, materials),
    refused: refused.map(({ index, load }) => ({ origin, index, load })),
    gaps,
  };
}

function answerSpan(
  question: RecordsQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  span: Span,
): AnsweredSpan | undefined {
  const loads = new Map<number, Load>();
  let count = 0;
  for (const { loadIndex, first, count: made } of span.loads) {
    const load = loadOf(ledger, first, loadIndex);
    if (question.model !== null && load.manifest !== question.model) continue;
    loads.set(loadIndex, load);
    count += made;
  }
  if (count === 0) return undefined;
  const bracket = timeline.bracket(span.from);
  const standing = standingIn(question, ledger, bracket);
  return standing && { span, bracket, standing, loads, count };
}

function countsOf({ span, loads, standing }: AnsweredSpan): readonly RecordCount[] {
  return span.loads.flatMap(({ loadIndex, count }) => {
    const load = loads.get(loadIndex);
    return load === undefined ? [] : [{ model: load.manifest, standing, count }];
  });
}

/** An entry of which this version cannot say what it is may be a record. */
function checkUnderstood({ walk: { notUnderstood }, enrolment }: DeviceLedger, checklist: Checklist): void {
  if (notUnderstood === undefined) return;
  const { count, index, reason } = notUnderstood;
  const what = `${count} entries may be anything, the first at ${index}: ${reason}`;
  checklist.missing(name.understood, enrolment.origin, what);
}

/** The accepted load that a record names. @throws Missing, EvidenceError `run-broken` */
export function loadOf(ledger: DeviceLedger, index: number, loadIndex: number): Load {
  const load = ledger.entries.get(loadIndex)?.entry;
  const named = `entry ${index} names load ${loadIndex}`;
  if (load === undefined) throw new Missing(`${named}, which is not in the bundle`);
  if (load.kind !== "load") throw new EvidenceError("run-broken", `${named}, which is ${load.kind}`);
  if (load.outcome !== "accepted") throw new EvidenceError("run-broken", `${named}, which was refused`);
  if (loadIndex >= index) throw new EvidenceError("run-broken", `${named}, which comes after it`);
  return load;
}
