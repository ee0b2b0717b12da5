import { utf8 } from "@tally/evidence";
import { cellText, columnsOf, flatRow, keyColumns, mostColumns } from "./flat-columns.ts";
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
  const flat = rows.map((row) => {
    // Lists have no place in a CSV.
    const cells = [...flatRow(row)].flatMap(([name, cell]) => ("value" in cell ? [[name, cellText(cell.value)]] : []));
    return new Map(cells as [string, string][]);
  });
  const columns = rows.length === 0 ? [] : columnsOf(flat);
  const shown = columns.length <= mostColumns ? columns : keyColumns;
  const line = (cells: readonly string[]) => `${cells.map(quoted).join(",")}\r\n`;
  return { head: line(shown), rows: flat.map((row) => line(shown.map((name) => row.get(name) ?? ""))) };
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
