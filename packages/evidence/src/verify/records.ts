import type { RecordsQuestion } from "../bundle/index.ts";
import type { Digest, LeafHash } from "../digest.ts";
import type { EvidenceGrade, Gap, Inference, Load } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { RunReplay, runStateAt } from "../runs/index.ts";
import { type Checklist, Missing } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { checkBounds, intervalStart, type RecordStanding, standingIn } from "./interval.ts";
import type { ProvenEntry } from "./slice.ts";
import type { Bracket, Timeline } from "./time-bracket.ts";

export type { RecordStanding } from "./interval.ts";

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

const name = { ordinals: "ordinals", understood: "entries understood" };

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
  if (!checkBounds(question, ledger, timeline, checklist)) return undefined;
  const { origin } = ledger.enrolment;
  const start = intervalStart(question, timeline);
  const records: RecordAnswer[] = [];
  const refused: RefusedLoad[] = [];
  const gaps: { index: number; gap: Gap }[] = [];
  const replayed = checklist.attempt(
    name.ordinals,
    origin,
    () => {
      replay(ledger.slice);
      for (const item of ledger.slice) {
        const { index, entry } = item;
        if (index < start) continue;
        if (entry.kind === "gap") gaps.push({ index, gap: entry });
        if (entry.kind === "load" && entry.outcome !== "accepted") refused.push({ origin, index, load: entry });
        if (entry.kind !== "inference") continue;
        const load = loadOf(ledger, index, entry);
        if (question.model !== null && load.manifest !== question.model) continue;
        const bracket = timeline.bracket(index);
        const standing = standingIn(question, ledger, bracket);
        if (standing !== undefined) records.push(recordAnswer(ledger, item, entry, load, bracket, standing));
      }
      return ledger.slice.length;
    },
    (count) => `${count} entries replayed: every record has its place under its load, every summary holds`,
  );
  if (replayed === undefined) return undefined;
  checkUnderstood(ledger, start, checklist);
  return { records, refused, gaps };
}

function replay(slice: readonly ProvenEntry[]): void {
  const [first] = slice;
  if (first === undefined) return;
  const run = new RunReplay(first.index === 0 ? undefined : runStateAt(first.index, first.entry));
  for (const { entry } of first.index === 0 ? slice : slice.slice(1)) run.take(entry);
}

/** An entry of which this version cannot say what it is may be a record. */
function checkUnderstood(ledger: DeviceLedger, start: number, checklist: Checklist): void {
  const unknown = ledger.slice.filter(({ index, entry }) => index >= start && entry.kind === "not-understood");
  const [first] = unknown;
  if (first?.entry.kind !== "not-understood") return;
  const what = `${unknown.length} entries may be anything, the first at ${first.index}: ${first.entry.reason}`;
  checklist.missing(name.understood, ledger.enrolment.origin, what);
}

/** The accepted load that a record names. @throws Missing, EvidenceError `run-broken` */
export function loadOf(ledger: DeviceLedger, index: number, { loadIndex }: Inference): Load {
  const load = ledger.entries.get(loadIndex)?.entry;
  const named = `entry ${index} names load ${loadIndex}`;
  if (load === undefined) throw new Missing(`${named}, which is not in the bundle`);
  if (load.kind !== "load") throw new EvidenceError("run-broken", `${named}, which is ${load.kind}`);
  if (load.outcome !== "accepted") throw new EvidenceError("run-broken", `${named}, which was refused`);
  if (loadIndex >= index) throw new EvidenceError("run-broken", `${named}, which comes after it`);
  return load;
}

export function recordAnswer(
  ledger: DeviceLedger,
  { index, leaf }: ProvenEntry,
  entry: Inference,
  load: Load,
  bracket: Bracket,
  standing: RecordStanding,
): RecordAnswer {
  const { loadIndex, ordinal, durationMicros, time: deviceTime } = entry;
  const { manifest: model, grade } = load;
  const { origin } = ledger.enrolment;
  return Object.freeze({
    origin,
    index,
    leaf,
    loadIndex,
    ordinal,
    model,
    grade,
    standing,
    bracket,
    deviceTime,
    durationMicros,
    entry,
  });
}
