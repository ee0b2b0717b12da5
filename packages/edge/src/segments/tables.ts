import type { JsonObject, JsonValue } from "@tally/evidence";
import type { LateLabel, SegmentRow } from "./row.ts";

/** The files of a segment that ordinary tools read. They are rendered from the payloads, and compared when verified. */
export interface Tables {
  /** One row as a JSON object a line. */
  readonly "records.jsonl": string;
  /** The same rows flat (RFC 4180), one column per tensor element, where there are not too many. */
  readonly "records.csv": string;
  /** Labels for records of earlier segments, a JSON object a line. */
  readonly "labels.jsonl": string;
}

/** Beyond this many columns content is no table; those columns are left to records.jsonl. */
const mostColumns = 1024;

export function renderTables(rows: readonly SegmentRow[], late: readonly LateLabel[]): Tables {
  return {
    "records.jsonl": lines(rows),
    "records.csv": renderCsv(rows),
    "labels.jsonl": lines(late),
  };
}

function lines(values: readonly object[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}

function renderCsv(rows: readonly SegmentRow[]): string {
  const flat = rows.map(flatRow);
  const columns = new Set<string>();
  for (const row of flat) for (const name of row.keys()) columns.add(name);
  const shown = columns.size <= mostColumns ? [...columns] : keyColumns;
  const cells = flat.map((row) => shown.map((name) => quoted(row.get(name) ?? "")).join(","));
  return [shown.map(quoted).join(","), ...cells].map((line) => `${line}\r\n`).join("");
}

const keyColumns = ["origin", "index", "leaf", "label"];

function flatRow({ origin, index, leaf, input, output, labels }: SegmentRow): Map<string, string> {
  const latest = labels.at(-1);
  return new Map([
    ["origin", origin],
    ["index", String(index)],
    ["leaf", leaf],
    ["label", latest === undefined ? "" : text(latest.value)],
    ...cellsOf("input", input),
    ...cellsOf("output", output),
  ]);
}

/** `input.features[0]`, `input.features[1]`, … for tensors; one cell for text, numbers and truth values; none for the rest. */
function cellsOf(prefix: string, content: JsonValue): [string, string][] {
  if (typeof content !== "object" || content === null) return [[prefix, text(content)]];
  return Object.entries(content as JsonObject).flatMap(([name, value]): [string, string][] => {
    const path = `${prefix}.${name}`;
    if (!isTensor(value)) return typeof value === "object" ? [] : [[path, text(value)]];
    const { data } = value;
    if (data.length === 1) return [[path, text(data[0]!)]];
    return data.length > mostColumns ? [] : data.map((item, i) => [`${path}[${i}]`, text(item)]);
  });
}

function isTensor(value: JsonValue): value is { readonly data: readonly JsonValue[] } & JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { data, dims } = value as JsonObject;
  return Array.isArray(data) && Array.isArray(dims);
}

function text(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
