import type { Inference, Label } from "@tally/evidence";
import { type Annotations, formatTime, referrerAnnotations } from "@tally/oci";
import type { PlacedEntry } from "./build-rows.ts";
import type { SegmentRow } from "./row.ts";

/** What registries list of a segment without opening it: the device, and when by its clock the records were made. */
export function segmentAnnotations(
  origin: string,
  rows: readonly SegmentRow[],
  records: readonly PlacedEntry<Inference>[],
  labels: readonly PlacedEntry<Label>[],
): Annotations {
  const shown = new Set(rows.map(({ index }) => index));
  const told = records.filter(({ index }) => shown.has(index));
  // A segment that brings only labels of earlier records is of the time when they were given.
  const times = (told.length > 0 ? told : labels).map(({ entry }) => entry.time);
  const [first, last] = times.reduce(([a, b], time) => [Math.min(a, time), Math.max(b, time)], [Infinity, -Infinity]);
  return {
    [referrerAnnotations.device]: origin.split("/").at(-2) ?? origin,
    ...(first! <= last! && first! >= 0
      ? { [referrerAnnotations.from]: formatTime(first!), [referrerAnnotations.to]: formatTime(last!) }
      : {}),
  };
}
