/** One line of the table, and one object of `--json`. */
export interface Row {
  readonly name: string;
  /** Null where nothing was measured; `how` then says why. */
  readonly value: number | null;
  readonly unit: string;
  /** What the same work took done the other way, in the same unit; `how` names it. */
  readonly peer: number | null;
  /** value / peer, of medians that were taken in alternating rounds. */
  readonly ratio: number | null;
  readonly how: string;
}

/** A figure that stands by itself. */
export function figure(name: string, value: number, unit: string, how: string): Row {
  return { name, value: rounded(value), unit, peer: null, ratio: null, how };
}

/** A figure beside its peer's. */
export function compared(name: string, value: number, peer: number, unit: string, how: string): Row {
  return { name, value: rounded(value), unit, peer: rounded(peer), ratio: rounded(value / peer), how };
}

export function notMeasured(name: string, unit: string, why: string): Row {
  return { name, value: null, unit, peer: null, ratio: null, how: `not measured: ${why}` };
}

/** The rows as text: figures in columns, and below each how it came about. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map(({ name, value, unit, peer, ratio }) => [
    name,
    value === null ? "not measured" : `${shown(value)} ${unit}`,
    peer === null ? "" : `${shown(peer)} ${unit}`,
    ratio === null ? "" : `${shown(ratio)} x`,
  ]);
  const head = ["work", "value", "peer", "ratio"];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [line(head), ...cells.map((row, i) => `${line(row)}\n    ${rows[i]!.how}`)].join("\n");
}

/** Three significant digits; more would claim a precision that no run has. */
function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

function shown(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 4 });
}
