import { utf8 } from "@tally/evidence";
import { cellText, flatRow, keyColumns, mostColumns } from "./flat-columns.ts";
import { renderParquet } from "./parquet-table.ts";
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

/** A table in pieces: what it begins with, and each of its rows. */
export interface RenderedRows {
  readonly head: string;
  readonly rows: readonly string[];
}

export function renderTables(rows: readonly SegmentRow[], late: readonly LateLabel[]): Tables {
  const pieces = renderTableRows(rows, late);
  const whole = (name: keyof Tables) => pieces[name].head + pieces[name].rows.join("");
  return {
    "records.jsonl": whole("records.jsonl"),
    "records.csv": whole("records.csv"),
    "labels.jsonl": whole("labels.jsonl"),
  };
}

/** All tables by their name in a segment, as bytes; the Parquet one, too. */
export function renderTableFiles(
  rows: readonly SegmentRow[],
  late: readonly LateLabel[],
): readonly (readonly [name: string, bytes: Uint8Array])[] {
  const texts = Object.entries(renderTables(rows, late)).map(([name, text]) => [name, utf8(text)] as const);
  return [...texts, [parquetName, renderParquet(rows)]];
}

/** Segments from before there was one have none. */
export const parquetName = "records.parquet";

/** The text tables row for row, to find the row in which one differs. */
export function renderTableRows(
  rows: readonly SegmentRow[],
  late: readonly LateLabel[],
): Readonly<Record<keyof Tables, RenderedRows>> {
  return { "records.jsonl": lines(rows), "records.csv": renderCsv(rows), "labels.jsonl": lines(late) };
}

function lines(values: readonly object[]): RenderedRows {
  return { head: "", rows: values.map((value) => `${JSON.stringify(value)}\n`) };
}

function renderCsv(rows: readonly SegmentRow[]): RenderedRows {
  const table = new CsvTable();
  for (const row of rows) table.add(row);
  return { head: table.head(), rows: rows.map((row) => table.line(row)) };
}

/**
 * Rows as CSV (RFC 4180), without holding them: first each row is added, for its columns, then head and lines are asked for.
 * Without any row there is no column, not even the key's.
 */
export class CsvTable {
  readonly #columns = new Set<string>();

  add(row: SegmentRow): void {
    if (this.#columns.size > mostColumns) return;
    if (this.#columns.size === 0) for (const name of keyColumns) this.#columns.add(name);
    for (const name of csvCells(row).keys()) this.#columns.add(name);
  }

  head(): string {
    return line(this.#shown());
  }

  line(row: SegmentRow): string {
    const cells = csvCells(row);
    return line(this.#shown().map((name) => cells.get(name) ?? ""));
  }

  #shown(): readonly string[] {
    return this.#columns.size <= mostColumns ? [...this.#columns] : keyColumns;
  }
}

/** Lists have no place in a CSV. */
function csvCells(row: SegmentRow): ReadonlyMap<string, string> {
  return new Map(
    [...flatRow(row)].flatMap(([name, cell]) => ("value" in cell ? [[name, cellText(cell.value)] as const] : [])),
  );
}

function line(cells: readonly string[]): string {
  return `${cells.map(quoted).join(",")}\r\n`;
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
