import type { RecordQuestion } from "../bundle/index.ts";
import { EvidenceError } from "../error.ts";
import type { Checklist } from "./check.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { keyRevoked, type LedgerRecords, type RecordAnswer } from "./records.ts";
import type { Timeline } from "./time-bracket.ts";

const name = "record";

/**
 * Finds the one record of a receipt. Its load has to be accepted and of the same run, which the next summary after the
 * record shows: it names the run's start, the load with at least the record's ordinal, and no unloading before it.
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
  return record === undefined ? undefined : { records: [record], refused: [], gaps: [] };
}

function readRecord({ origin, index }: RecordQuestion, ledger: DeviceLedger, timeline: Timeline): RecordAnswer {
  const proven = ledger.entries.get(index);
  if (proven === undefined || proven.entry.kind !== "inference") throw broken(`entry ${index} is not a proven record`);
  const { entry, leaf } = proven;
  const load = ledger.entries.get(entry.loadIndex)?.entry;
  if (load === undefined || load.kind !== "load")
    throw broken(`its load, entry ${entry.loadIndex}, is not in the bundle`);
  if (load.outcome !== "accepted") throw broken(`its load, entry ${entry.loadIndex}, was refused`);
  checkRun(ledger, index, entry.loadIndex, entry.ordinal);
  const bracket = timeline.bracket(index);
  const { loadIndex, ordinal, durationMicros } = entry;
  return Object.freeze({
    origin,
    index,
    leaf,
    loadIndex,
    ordinal,
    model: load.manifest,
    grade: load.grade,
    standing: keyRevoked(ledger, bracket) ? "key revoked" : "inside",
    bracket,
    deviceTime: entry.time,
    durationMicros,
    entry,
  });
}

function checkRun(ledger: DeviceLedger, index: number, loadIndex: number, ordinal: number): void {
  const stating = [...ledger.entries.values()]
    .filter((item) => item.index > index && (item.entry.kind === "summary" || item.entry.kind === "restart"))
    .sort((a, b) => a.index - b.index)[0]?.entry;
  if (stating?.kind !== "summary" && stating?.kind !== "restart") throw broken("no summary after it is in the bundle");
  const [runStart, loads] =
    stating.kind === "summary" ? [stating.runStart, stating.loads] : [stating.previousRun, stating.closing];
  const counted = loads.find((load) => load.loadIndex === loadIndex);
  if (counted === undefined || loadIndex <= runStart) throw broken(`load ${loadIndex} is not of the record's run`);
  if (ordinal >= counted.count)
    throw broken(`the summary counts ${counted.count} records, this would be number ${ordinal}`);
  if (counted.unloadIndex !== null && counted.unloadIndex < index) throw broken("its load had been unloaded");
}

function broken(what: string): EvidenceError {
  return new EvidenceError("receipt-invalid", what);
}
