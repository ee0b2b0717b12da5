import type { SegmentRow } from "@tally/edge";
import { type RecordAnswer, type RecordPages, toHex } from "@tally/evidence";
import { labelAgrees, predictionOf } from "./prediction.ts";

/** The figures of one side, by name. Null where there is nothing to take them from. */
export type Figures = Readonly<Record<FigureName, number | null>>;

export const figureNames = [
  "inside",
  "possibly",
  "key-revoked",
  "devices",
  "latency-p50",
  "latency-p95",
  "latency-p99",
  "contents",
  "labelled",
  "agreed",
  "differed",
  "confidence",
] as const;
export type FigureName = (typeof figureNames)[number];

/** What segments disclose of records, by origin and index. */
export type Disclosed = ReadonlyMap<string, SegmentRow>;

export function discloses(rows: readonly SegmentRow[]): Disclosed {
  return new Map(rows.map((row) => [`${row.origin} ${row.index}`, row]));
}

/** Goes through all records of a verified answer once. Of each it keeps the duration, a number. */
export async function figuresOf(records: RecordPages, disclosed: Disclosed): Promise<Figures> {
  const counts = { inside: 0, "possibly inside": 0, "key revoked": 0 };
  const devices = new Set<string>();
  const durations: number[] = [];
  const confidences: number[] = [];
  let [contents, agreed, differed] = [0, 0, 0];
  for await (const record of records.read(0)) {
    counts[record.standing] += 1;
    devices.add(deviceOf(record));
    durations.push(record.durationMicros);
    const row = rowOf(record, disclosed);
    if (row === undefined) continue;
    contents += 1;
    const { confidence } = predictionOf(row.output);
    if (confidence !== null) confidences.push(confidence);
    const agrees = labelAgrees(row);
    if (agrees === true) agreed += 1;
    if (agrees === false) differed += 1;
  }
  durations.sort((a, b) => a - b);
  confidences.sort((a, b) => a - b);
  return {
    inside: counts.inside,
    possibly: counts["possibly inside"],
    "key-revoked": counts["key revoked"],
    devices: devices.size,
    "latency-p50": quantile(durations, 0.5),
    "latency-p95": quantile(durations, 0.95),
    "latency-p99": quantile(durations, 0.99),
    contents,
    labelled: agreed + differed,
    agreed,
    differed,
    confidence: quantile(confidences, 0.5),
  };
}

/** The records behind a figure: those that it counts, or from its value on. */
export async function* recordsBehind(
  name: FigureName,
  figures: Figures,
  records: RecordPages,
  disclosed: Disclosed,
): AsyncGenerator<RecordAnswer> {
  const value = figures[name];
  if (value === null) return;
  for await (const record of records.read(0)) if (isBehind(name, value, record, rowOf(record, disclosed))) yield record;
}

function isBehind(name: FigureName, value: number, record: RecordAnswer, row: SegmentRow | undefined): boolean {
  switch (name) {
    case "inside":
      return record.standing === "inside";
    case "possibly":
      return record.standing === "possibly inside";
    case "key-revoked":
      return record.standing === "key revoked";
    case "devices":
      return true;
    case "latency-p50":
    case "latency-p95":
    case "latency-p99":
      return record.durationMicros >= value;
    case "contents":
      return row !== undefined;
    case "labelled":
      return row !== undefined && labelAgrees(row) !== null;
    case "agreed":
      return row !== undefined && labelAgrees(row) === true;
    case "differed":
      return row !== undefined && labelAgrees(row) === false;
    case "confidence":
      return row !== undefined && (predictionOf(row.output).confidence ?? -1) >= value;
  }
}

/** A row counts for a record only if it is of the very entry. */
function rowOf({ origin, index, leaf }: RecordAnswer, disclosed: Disclosed): SegmentRow | undefined {
  const row = disclosed.get(`${origin} ${index}`);
  return row?.leaf === toHex(leaf) ? row : undefined;
}

function deviceOf({ origin }: RecordAnswer): string {
  return origin.slice(0, origin.lastIndexOf("/"));
}

/** The smallest value that at least this share of all do not exceed. */
function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
