import type { RecordQuestion } from "../bundle/index.ts";
import type { LoadCount } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { runStateAt } from "../runs/index.ts";
import { type Checklist, Missing } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { keyRevoked } from "./interval.ts";
import { showMoment } from "./moments.ts";
import { type RecordAnswer, recordAnswer } from "./record-answer.ts";
import { heldRecords } from "./record-pages.ts";
import { type LedgerRecords, loadOf } from "./records.ts";
import type { Timeline } from "./time-bracket.ts";

const name = "record";
const key = "device key";

/**
 * Finds the one record of a receipt. Its load has to be accepted and of the same run, which the next summary after the
 * record shows: it names the run's start, the load with more records than the ordinal, and no unloading before it.
 */
export function findReceipt(
  question: RecordQuestion,
  ledger: DeviceLedger,
  timeline: Timeline,
  checklist: Checklist,
): LedgerRecords | undefined {
  const about = `${question.origin} #${question.index}`;
  const record = checklist.attempt(
    name,
    about,
    () => readRecord(question, ledger, timeline),
    ({ loadIndex, ordinal }) => `number ${ordinal} under load ${loadIndex}, which its run's summary confirms`,
  );
  if (record === undefined) return undefined;
  const { model, standing } = record;
  if (standing === "key revoked") {
    const since = ledger.enrolment.revoked?.compromiseTime ?? null;
    const what = since === null ? "nobody knows since when" : `as of ${showMoment(since)}`;
    checklist.missing(key, about, `its key is revoked, ${what}, and nothing proves the record to be older`);
  }
  return { counts: [{ model, standing, count: 1 }], pages: heldRecords([record]), refused: [], gaps: 0 };
}

function readRecord({ index }: RecordQuestion, ledger: DeviceLedger, timeline: Timeline): RecordAnswer {
  const proven = ledger.entries.get(index);
  if (proven === undefined) throw new Missing(`the bundle does not prove entry ${index}`);
  if (proven.entry.kind !== "inference") throw broken(`entry ${index} is ${proven.entry.kind}, not a record`);
  const { entry } = proven;
  const load = loadOf(ledger, index, entry.loadIndex);
  checkRun(ledger, index, entry.loadIndex, entry.ordinal);
  const bracket = timeline.bracket(index);
  const standing = keyRevoked(ledger, bracket) ? "key revoked" : "inside";
  return recordAnswer(ledger, proven, entry, load, bracket, standing);
}

function checkRun(ledger: DeviceLedger, index: number, loadIndex: number, ordinal: number): void {
  const { at, runStart, loads } = nextStated(ledger, index);
  const counted = loads.find((load) => load.loadIndex === loadIndex);
  if (counted === undefined || loadIndex <= runStart || index <= runStart) {
    throw broken(`load ${loadIndex} is not of the record's run, which began at ${runStart}`);
  }
  const { count, unloadIndex } = counted;
  if (ordinal >= count) throw broken(`the summary counts ${count} records, this would be number ${ordinal}`);
  // Between the load and the summary there is one entry for each record, this one among them.
  if (count > at - loadIndex - 1) throw broken(`the summary counts ${count} records where there is no room for them`);
  if (ordinal >= index - loadIndex) throw broken(`no ${ordinal} records fit between its load and it`);
  if (unloadIndex !== null && unloadIndex < index) throw broken("its load had been unloaded");
}

interface Stated {
  readonly at: number;
  readonly runStart: number;
  readonly loads: readonly LoadCount[];
}

/** The first summary or closing list after the record that the bundle shows. */
function nextStated(ledger: DeviceLedger, index: number): Stated {
  let next: Stated | undefined;
  for (const { index: at, entry } of ledger.entries.values()) {
    if (at <= index || (next !== undefined && at > next.at)) continue;
    if (entry.kind === "summary") {
      runStateAt(at, entry);
      next = { at, runStart: entry.runStart, loads: entry.loads };
    } else if (entry.kind === "restart") next = { at, runStart: entry.previousRun, loads: entry.closing };
  }
  if (next === undefined) throw new Missing("no summary after it is in the bundle");
  return next;
}

function broken(what: string): EvidenceError {
  return new EvidenceError("receipt-invalid", what);
}
