import {
  coversRecord,
  parseEnvelope,
  parseQuarantine,
  type QuarantinableRecord,
  type Quarantined,
  quarantineType,
  subjectDigests,
  touches,
} from "@tally/evidence";
import { gatherStatement } from "./gather-statement.ts";
import type { Gathered } from "./gathered.ts";
import type { AuditSource } from "./source.ts";

/** Adds what was put under quarantine of what a device recorded, and what lifted it. */
export function gatherDeviceQuarantines(source: AuditSource, origin: string, gathered: Gathered): Promise<void> {
  return gather(source, origin, () => true, gathered);
}

/** The same for one record. Quarantines of its model come with that. */
export function gatherRecordQuarantines(
  source: AuditSource,
  record: QuarantinableRecord,
  gathered: Gathered,
): Promise<void> {
  return gather(source, record.origin, (what) => coversRecord(what, record), gathered);
}

/** The same for ranges of ledgers that a dataset was drawn from. */
export async function gatherRangeQuarantines(
  source: AuditSource,
  ranges: readonly { readonly origin: string; readonly from: number; readonly to: number }[],
  gathered: Gathered,
): Promise<void> {
  for (const [origin, own] of Map.groupBy(ranges, (range) => range.origin)) {
    await gather(source, origin, (what) => own.some((range) => touches(what, range)), gathered);
  }
}

async function gather(
  source: AuditSource,
  origin: string,
  isAsked: (what: Quarantined) => boolean,
  gathered: Gathered,
): Promise<void> {
  for (const row of await source.quarantines(origin)) {
    if (!gathered.covers(row.index)) continue;
    const bytes = await source.blob(row.envelope);
    if (bytes === undefined) continue;
    const { statement } = parseEnvelope(bytes);
    const word = parseQuarantine(statement);
    if (word.decision !== "quarantine" || !isAsked(word.what)) continue;
    await gatherStatement(source, row, gathered);
    for (const about of await source.statementsAbout(subjectDigests(statement)[0]!)) {
      if (about.predicateType !== quarantineType || !gathered.covers(about.index)) continue;
      const other = parseQuarantine(parseEnvelope((await source.blob(about.envelope))!).statement);
      if (other.decision === "lift" && other.lifts === row.envelope) await gatherStatement(source, about, gathered);
    }
  }
}
