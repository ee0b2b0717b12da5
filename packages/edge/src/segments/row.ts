import type { JsonValue } from "@tally/evidence";

/** One record of a segment, keyed by (origin, index, leaf), with what was kept of it. */
export interface SegmentRow {
  readonly origin: string;
  readonly index: number;
  /** Leaf hash, hex. */
  readonly leaf: string;
  /** Index of its load entry. */
  readonly load: number;
  readonly ordinal: number;
  readonly input: JsonValue;
  readonly output: JsonValue;
  /** Labels of this segment's range that are about this record, oldest first. */
  readonly labels: readonly RowLabel[];
}

export interface RowLabel {
  /** Index of the label entry in the same ledger. */
  readonly index: number;
  /** Leaf hash of the label entry, hex. */
  readonly leaf: string;
  /** Key id of who says so, hex. */
  readonly who: string;
  readonly value: JsonValue;
}

/** A label for a record that lies before the segment's range: it travels now and belongs to an earlier row. */
export interface LateLabel extends RowLabel {
  readonly record: { readonly origin: string; readonly index: number; readonly leaf: string };
}
