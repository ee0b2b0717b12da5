import type { JsonObject, JsonValue } from "@tally/evidence";
import type { Halves } from "./render-content.ts";
import type { SegmentRow } from "./row.ts";

/** What a column of a table holds, as far as one value shows it. */
export type CellType = "float" | "double" | "integer" | "unsigned" | "boolean" | "text";

/** A value of a flat table; `values` where a tensor has more elements than a table has columns for. */
export type Cell = { readonly type: CellType } & (
  | { readonly value: JsonValue }
  | { readonly values: readonly JsonValue[] }
);

/** Beyond this many columns content is no table. */
export const mostColumns = 1024;

export const keyColumns: readonly string[] = ["origin", "index", "leaf", "label"];

/** A row as cells by column: its key, its latest label, and `input.features[0]`, `input.features[1]`, … */
export function flatRow(
  { origin, index, leaf, input, output, labels }: SegmentRow,
  halves: Halves = "numbers",
): Map<string, Cell> {
  const latest = labels.at(-1);
  return new Map<string, Cell>([
    ["origin", { type: "text", value: origin }],
    ["index", { type: "integer", value: index }],
    ["leaf", { type: "text", value: leaf }],
    ...(latest === undefined ? [] : [["label", scalarCell(latest.value)] as const]),
    ...cellsOf("input", input, halves),
    ...cellsOf("output", output, halves),
  ]);
}

/** The columns of all rows, in the order in which rows bring them; the key's columns first. */
export function columnsOf(rows: readonly ReadonlyMap<string, unknown>[]): readonly string[] {
  const columns = new Set<string>(keyColumns);
  for (const row of rows) for (const name of row.keys()) columns.add(name);
  return [...columns];
}

/** Several elements of one tensor: each a column, and the tensor as one column where those would be too many. */
export function cellsOf(prefix: string, content: JsonValue, halves: Halves): [string, Cell][] {
  if (typeof content !== "object" || content === null) return [[prefix, scalarCell(content)]];
  return Object.entries(content as JsonObject).flatMap(([name, value]): [string, Cell][] => {
    const path = `${prefix}.${name}`;
    if (!isTensor(value)) return typeof value === "object" ? [] : [[path, scalarCell(value)]];
    const { data } = value;
    const isBits = halves === "bits" && value.type === "float16";
    const type = isBits ? "integer" : (elementCells[String(value.type)] ?? "text");
    if (data.length === 1) return [[path, { type, value: data[0]! }]];
    if (data.length > mostColumns) return [[path, { type, values: data }]];
    return data.map((item, i) => [`${path}[${i}]`, { type, value: item }]);
  });
}

/** A cell as text: as CSV has it. */
export function cellText(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function scalarCell(value: JsonValue): Cell {
  if (typeof value === "number") return { type: "double", value };
  return { type: typeof value === "boolean" ? "boolean" : "text", value };
}

/** Each 16-bit floating-point value is exactly a float32, which every reader of Parquet knows. */
const elementCells: Readonly<Record<string, CellType>> = {
  float32: "float",
  float64: "double",
  float16: "float",
  bfloat16: "float",
  bool: "boolean",
  uint64: "unsigned",
  ...Object.fromEntries(
    ["int4", "uint4", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"].map((name) => [name, "integer"]),
  ),
};

function isTensor(value: JsonValue): value is { readonly data: readonly JsonValue[] } & JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { data, dims } = value as JsonObject;
  return Array.isArray(data) && Array.isArray(dims);
}
