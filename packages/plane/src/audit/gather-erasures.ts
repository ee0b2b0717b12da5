import { memberTypes, parseEnvelope, parseErasure } from "@tally/evidence";
import type { Gathered } from "./gathered.ts";
import type { AuditSource } from "./source.ts";

/** Adds what the device has stated to have erased of its records among the entries [from, to). */
export async function gatherErasures(
  source: AuditSource,
  origin: string,
  from: number,
  to: number,
  gathered: Gathered,
): Promise<void> {
  for (const row of await source.erasures(origin, from, to)) {
    if (!gathered.covers(row.index)) continue;
    const bytes = await source.blob(row.envelope);
    if (bytes === undefined) continue;
    const { records } = parseErasure(parseEnvelope(bytes).statement);
    if (!records.some(({ index }) => index >= from && index < to)) continue;
    gathered.add({ type: memberTypes.envelope, bytes });
    gathered.addPlaneEntry(row.index);
  }
}
