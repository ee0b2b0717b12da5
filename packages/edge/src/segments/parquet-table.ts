import type { JsonValue } from "@tally/evidence";
import type { SchemaElement } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type Cell, type CellType, cellsOf, cellText, columnsOf, flatRow, mostColumns } from "./flat-columns.ts";
import type { Halves } from "./render-content.ts";
import type { SegmentRow } from "./row.ts";

type ParquetType = "FLOAT" | "DOUBLE" | "INT64" | "BOOLEAN" | "BYTE_ARRAY";
type ParquetValue = number | bigint | boolean | string | null;

/** How Parquet stores each kind of cell. */
const physical: Readonly<
  Record<CellType, { readonly type: ParquetType; readonly converted_type?: "UTF8" | "UINT_64" }>
> = {
  float: { type: "FLOAT" },
  double: { type: "DOUBLE" },
  integer: { type: "INT64" },
  unsigned: { type: "INT64", converted_type: "UINT_64" },
  boolean: { type: "BOOLEAN" },
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
};

interface Column {
  readonly name: string;
  readonly type: CellType;
  readonly isList: boolean;
  readonly data: readonly (ParquetValue | ParquetValue[])[];
}

/**
 * The rows as Apache Parquet: the columns of the CSV with types of their own. With more than 1,024 columns each tensor is
 * one column of lists. A column whose values are of different types is text.
 *
 * The bytes follow from the rows alone: one row group, one page a column, PLAIN encoding, no compression, no statistics.
 * A test holds them against a digest, so that another release of the library cannot change them unseen.
 */
export function renderParquet(rows: readonly SegmentRow[], halves: Halves = "numbers"): Uint8Array {
  const flat = rows.map((row) => flatRow(row, halves));
  const columns = toColumns(columnsOf(flat).length <= mostColumns ? flat : rows.map((row) => wideRow(row, halves)));
  const schema: SchemaElement[] = [
    { name: "schema", num_children: columns.length },
    ...columns.flatMap(({ name, type, isList }) => schemaOf(name, type, isList)),
  ];
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: columns.map(({ name, data }) => ({
        name,
        data: data as never,
        encoding: "PLAIN",
        offsetIndex: false,
      })),
      schema,
      codec: "UNCOMPRESSED",
      statistics: false,
      pageSize: 0,
      rowGroupSize: Math.max(1, rows.length),
      createdBy: "tally segment v1",
    }),
  );
}

/** As `flatRow`, each tensor one cell. */
function wideRow(row: SegmentRow, halves: Halves): Map<string, Cell> {
  const key = flatRow({ ...row, input: {}, output: {} });
  const tensors = new Map<string, { type: CellType; values: JsonValue[] }>();
  const rest: [string, Cell][] = [];
  for (const [name, cell] of [...cellsOf("input", row.input, halves), ...cellsOf("output", row.output, halves)]) {
    const tensor = /^(.*)\[\d+\]$/s.exec(name)?.[1];
    if (tensor === undefined || !("value" in cell)) rest.push([name, cell]);
    else {
      const values = tensors.get(tensor)?.values ?? [];
      values.push(cell.value);
      tensors.set(tensor, { type: cell.type, values });
    }
  }
  return new Map<string, Cell>([...key, ...tensors, ...rest]);
}

function toColumns(rows: readonly ReadonlyMap<string, Cell>[]): readonly Column[] {
  return columnsOf(rows).map((name): Column => {
    const cells = rows.map((row) => row.get(name));
    const present = cells.filter((cell) => cell !== undefined);
    const isList = present.some((cell) => "values" in cell);
    const [first, ...others] = new Set(present.map(({ type }) => type));
    const type = name === "index" ? "integer" : others.length === 0 ? (first ?? "text") : "text";
    const data = cells.map((cell) => {
      if (cell === undefined) return null;
      const values = "values" in cell ? cell.values : [cell.value];
      return isList ? values.map((value) => parquetValue(type, value)) : parquetValue(type, values[0]!);
    });
    return { name, type, isList, data };
  });
}

function parquetValue(type: CellType, value: JsonValue): ParquetValue {
  switch (type) {
    case "float":
    case "double":
      // NaN and infinities are text in JSON.
      return Number(value);
    case "integer":
    case "unsigned":
      return BigInt(value as number | string);
    case "boolean":
      return value === true || value === 1;
    case "text":
      return value === null ? null : cellText(value);
  }
}

function schemaOf(name: string, type: CellType, isList: boolean): SchemaElement[] {
  if (!isList) return [{ name, ...physical[type], repetition_type: "OPTIONAL" }];
  return [
    { name, converted_type: "LIST", repetition_type: "OPTIONAL", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", ...physical[type], repetition_type: "REQUIRED" },
  ];
}
