import type { RecordsQuestion } from "../bundle/index.ts";
import type { Digest, LeafHash } from "../digest.ts";
import type { EvidenceGrade, Gap, Inference, Load } from "../entries/index.ts";
import { advanceRun, type RunState, runStateAt } from "../runs/index.ts";
import type { Checklist } from "./check.ts";
import type { DeviceLedger, ProvenEntry } from "./device-ledger.ts";
import type { Bracket, Timeline } from "./time-bracket.ts";

/**
 * Where a record stands to the question's interval. `inside`: its bracket lies within. `possibly inside`: the bracket
 * straddles a bound. `key revoked`: it may be of the interval, but nothing proves that it is older than the compromise
 * of the key that signed it.
 */
export type RecordStanding = "inside" | "possibly inside" | "key revoked";

export interface RecordAnswer {
  readonly origin: string;
  readonly index: number;
  readonly leaf: LeafHash;
  readonly loadIndex: number;
  readonly ordinal: number;
  readonly model: Digest | null;
  readonly grade: EvidenceGrade;
  readonly standing: RecordStanding;
  readonly bracket: Bracket;
  /** Milliseconds: what the device's own clock said. Shown, never relied upon. */
  readonly deviceTime: number;
  readonly durationMicros: number;
  readonly entry: Inference;
}

/** A model load that a device refused, within the slice that was asked about. */
export interface RefusedLoad {
  readonly origin: string;
  readonly index: number;
  readonly load: Load;
}

export interface LedgerRecords {
  readonly records: readonly RecordAnswer[];
  readonly refused: readonly RefusedLoad[];
  readonly gaps: readonly { readonly index: number; readonly gap: Gap }[];
}

const name = { start: "interval start", end: "interval end", ordinals: "ordinals", load: "load" };

/**
 * Finds a ledger's records for the question. Replays every entry of the slice, so that ordinals, loads and summaries
 * are recomputed rather than believed.
 */
export function findRecords(
  question: RecordsQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  checklist: Checklist,
): LedgerRecords | undefined {
  const origin = ledger.enrolment.origin;
  const start = intervalStart(question, timeline);
  if (!checkBounds(question, ledger, timeline, start, checklist)) return undefined;
  const records: RecordAnswer[] = [];
  const refused: RefusedLoad[] = [];
  const gaps: { index: number; gap: Gap }[] = [];
  const replayed = checklist.attempt(
    name.ordinals,
    origin,
    () => {
      let state: RunState | undefined;
      for (const [i, item] of ledger.slice.entries()) {
        state = i === 0 && item.index > 0 ? runStateAt(item.index, item.entry) : advanceRun(state, item.entry);
        if (item.index < start) continue;
        if (item.entry.kind === "gap") gaps.push({ index: item.index, gap: item.entry });
        if (item.entry.kind === "load" && item.entry.outcome !== "accepted") {
          refused.push({ origin, index: item.index, load: item.entry });
        }
        if (item.entry.kind === "inference") addRecord(records, question, ledger, timeline, item, item.entry);
      }
      return ledger.slice.length;
    },
    (count) => `${count} entries replayed: every record has its place under its load, every summary holds`,
  );
  return replayed === undefined ? undefined : { records, refused, gaps };
}

/** The largest size proven not after the interval's start: nothing before it can be of the interval. */
export function intervalStart(question: RecordsQuestion, timeline: Timeline): number {
  return timeline.heads.reduce((size, head) => (head.notAfter <= question.from ? Math.max(size, head.size) : size), 0);
}

function checkBounds(
  question: RecordsQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  start: number,
  checklist: Checklist,
): boolean {
  const origin = ledger.enrolment.origin;
  const size = ledger.head.leaf.mirroredSize;
  if (ledger.from > Math.min(start, size)) {
    checklist.missing(
      name.start,
      origin,
      `entries ${Math.min(start, size)} to ${ledger.from} may be of the interval and are left out`,
    );
    return false;
  }
  checklist.good(
    name.start,
    origin,
    start === 0 ? "from the first entry on" : `its ${start} first entries are proven older`,
  );
  const closing = timeline.anchors.find(({ index, notBefore }) => index < ledger.to && notBefore >= question.to);
  if (ledger.to < size && closing === undefined) {
    checklist.missing(name.end, origin, `entries ${ledger.to} to ${size} may be of the interval and are left out`);
    return false;
  }
  checklist.good(
    name.end,
    origin,
    closing === undefined ? "to the mirrored head" : `what follows entry ${closing.index} is proven younger`,
  );
  return true;
}

function addRecord(
  records: RecordAnswer[],
  question: RecordsQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  { index, leaf }: ProvenEntry,
  entry: Inference,
): void {
  const load = ledger.entries.get(entry.loadIndex)?.entry;
  if (load === undefined || load.kind !== "load" || load.outcome !== "accepted") {
    throw new Error(
      `entry ${index} names load ${entry.loadIndex}, which the bundle does not prove to be an accepted load`,
    );
  }
  if (question.model !== null && load.manifest !== question.model) return;
  const bracket = timeline.bracket(index);
  const standing = standingOf(question, ledger, bracket);
  if (standing === undefined) return;
  const { ordinal, durationMicros, loadIndex } = entry;
  const { manifest: model, grade } = load;
  const origin = ledger.enrolment.origin;
  records.push(
    Object.freeze({
      origin,
      index,
      leaf,
      loadIndex,
      ordinal,
      model,
      grade,
      standing,
      bracket,
      deviceTime: entry.time,
      durationMicros,
      entry,
    }),
  );
}

function standingOf(question: RecordsQuestion, ledger: DeviceLedger, bracket: Bracket): RecordStanding | undefined {
  const { notBefore, notAfter } = bracket;
  if (notAfter !== null && notAfter < question.from) return undefined;
  if (notBefore !== null && notBefore >= question.to) return undefined;
  if (keyRevoked(ledger, bracket)) return "key revoked";
  const within = notBefore !== null && notAfter !== null && notBefore >= question.from && notAfter < question.to;
  return within ? "inside" : "possibly inside";
}

/** A signature by a revoked key holds only if its proven not-after precedes the compromise. */
export function keyRevoked(ledger: DeviceLedger, { notAfter }: Bracket): boolean {
  const { revoked } = ledger.enrolment;
  if (revoked === undefined) return false;
  return revoked.compromiseTime === null || notAfter === null || notAfter >= revoked.compromiseTime;
}
