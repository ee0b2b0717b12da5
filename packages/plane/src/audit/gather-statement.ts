import { memberTypes } from "@tally/evidence";
import type { Gathered } from "./gathered.ts";
import type { AuditSource, StatementRow } from "./source.ts";

/** Adds a statement with what proves that it was logged, and when where that matters. */
export async function gatherStatement(
  source: AuditSource,
  row: StatementRow,
  gathered: Gathered,
): Promise<Uint8Array | undefined> {
  const bytes = await source.blob(row.envelope);
  if (bytes === undefined) return undefined;
  gathered.add({ type: memberTypes.envelope, bytes });
  gathered.addPlaneEntry(row.index);
  for (const note of await source.statementTimes(row)) await gathered.addPlaneNote(note);
  return bytes;
}
