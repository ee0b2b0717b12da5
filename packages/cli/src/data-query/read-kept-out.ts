import { type DataResponse, type Quarantined, type SegmentItem, type Trust, touches } from "@tally/evidence";
import type { PlaneClient } from "../plane-client.ts";
import { readQuarantines, wordsOf } from "../quarantine/honoured.ts";
import { counted, say, type Terminal } from "../terminal/index.ts";
import { type KeptOut, QuarantinedRows } from "./kept-out.ts";

/** What stands under quarantine of these rows; what of it does not count is said. */
export async function keepOut(
  terminal: Terminal,
  client: PlaneClient,
  trust: Trust | undefined,
  { model, repository }: DataResponse,
  items: readonly SegmentItem[],
  included: boolean,
): Promise<QuarantinedRows> {
  const concerns = (what: Quarantined) =>
    (what.kind === "model" && what.manifest === model) || items.some((item) => touches(what, item));
  const { standing, refused } = await readQuarantines(client, trust, repository, concerns);
  for (const { statement, why } of refused) say(terminal, `quarantine ${statement} does not count: ${why}`);
  return new QuarantinedRows(standing, model, included);
}

/** How much of the set one quarantine left out, or marked. */
export function quarantineLine(kept: KeptOut, included: boolean): string {
  const { segments, rows, labels } = kept;
  const what = [
    ...(segments > 0 ? [counted(segments, "segment")] : []),
    ...(rows > 0 ? [counted(rows, "row")] : []),
    ...(labels > 0 ? [counted(labels, "label")] : []),
  ].join(" and ");
  if (included) return `${what} under quarantine ${wordsOf(kept)}, marked`;
  return `left out ${what} under quarantine ${wordsOf(kept)}; --include-quarantined takes them in, marked`;
}
