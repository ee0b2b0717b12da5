import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { equalBytes, fromUtf8 } from "@tally/evidence";
import { parquetReadObjects } from "hyparquet";
import { renderParquet } from "./parquet-table.ts";
import type { Halves } from "./render-content.ts";
import type { LateLabel, SegmentRow } from "./row.ts";
import { readPart } from "./segment-part.ts";
import { parquetName, type RenderedRows, renderTableRows } from "./tables.ts";

/** Something in an unpacked segment that is not what its device recorded. */
export interface SegmentFault {
  /** Relative to the folder. */
  readonly file: string;
  /** The entry that the row or item is of, where it can be told. */
  readonly index?: number;
  readonly why: string;
}

/** Compares the tables, byte for byte, with what the payloads render to, and finds the row of each that differs. */
export async function tableFaults(
  folder: string,
  rows: readonly SegmentRow[],
  late: readonly LateLabel[],
  halves: Halves = "numbers",
): Promise<readonly SegmentFault[]> {
  const faults: SegmentFault[] = [];
  for (const [name, rendered] of Object.entries(renderTableRows(rows, late))) {
    const file = `data/${name}`;
    const bytes = await readPart(folder, file).catch((): undefined => undefined);
    const of: readonly { readonly index: number }[] = name === "labels.jsonl" ? late : rows;
    if (bytes === undefined) faults.push({ file, why: "cannot be read" });
    else faults.push(...textFault(file, textOf(bytes), rendered, of));
  }
  return [...faults, ...(await parquetFault(folder, rows, halves))];
}

/** Files in `data` and `proof` that are no segment's, so that nothing vouches for them. */
export async function strangeFiles(folder: string, known: ReadonlySet<string>): Promise<readonly SegmentFault[]> {
  const faults: SegmentFault[] = [];
  for (const part of ["data", "keys", "proof"]) {
    const items = await readdir(join(folder, part)).catch((): string[] => []);
    for (const item of items.sort()) {
      const file = `${part}/${item}`;
      if (!known.has(file)) faults.push({ file, why: "is no file of a segment: nothing proves what it says" });
    }
  }
  return faults;
}

function textFault(
  file: string,
  actual: string | undefined,
  { head, rows }: RenderedRows,
  of: readonly { readonly index: number }[],
): readonly SegmentFault[] {
  if (actual === undefined) return [{ file, why: "is not UTF-8" }];
  if (!actual.startsWith(head)) return [{ file, why: "its first line is not what its payloads render to" }];
  let at = head.length;
  for (const [i, row] of rows.entries()) {
    if (!actual.startsWith(row, at)) {
      const { index } = of[i]!;
      return [{ file, index, why: `row ${i + 1}, entry ${index}, is not what its payloads render to` }];
    }
    at += row.length;
  }
  return at === actual.length
    ? []
    : [{ file, why: `goes on after its ${rows.length} rows, with what no payload shows` }];
}

async function parquetFault(
  folder: string,
  rows: readonly SegmentRow[],
  halves: Halves,
): Promise<readonly SegmentFault[]> {
  const file = `data/${parquetName}`;
  const bytes = await readPart(folder, file).catch((): undefined => undefined);
  // Segments that were packed before there was one.
  if (bytes === undefined) return [];
  const rendered = renderParquet(rows, halves);
  if (equalBytes(bytes, rendered)) return [];
  const i = await differingRow(bytes, rendered).catch((): undefined => undefined);
  const row = i === undefined ? undefined : rows[i];
  if (row === undefined) return [{ file, why: "is not what its payloads render to" }];
  const { index } = row;
  return [{ file, index, why: `row ${i! + 1}, entry ${index}, is not what its payloads render to` }];
}

/** Only to say where: whatever comes of it, the file is refused. */
async function differingRow(actual: Uint8Array, rendered: Uint8Array): Promise<number | undefined> {
  // A file that grew that much is not read any further than this.
  if (actual.length > 2 * rendered.length + 65_536) return undefined;
  const [there, expected] = await Promise.all([rowsOf(actual), rowsOf(rendered)]);
  const at = expected.findIndex((row, i) => row !== there[i]);
  return at < 0 ? undefined : at;
}

async function rowsOf(bytes: Uint8Array): Promise<readonly string[]> {
  const rows = await parquetReadObjects({ file: bytes.slice().buffer });
  return rows.map((row) => JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)));
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return fromUtf8(bytes);
  } catch {
    return undefined;
  }
}
