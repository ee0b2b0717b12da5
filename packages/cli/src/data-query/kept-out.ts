import type { RowLabel, SegmentRow } from "@tally/edge";
import { coversRecord, type Digest, type SegmentItem, touches } from "@tally/evidence";
import { coversSegment, type HonouredQuarantine } from "../quarantine/honoured.ts";

/** What one quarantine kept out of a set, or marked in it. */
export interface KeptOut extends HonouredQuarantine {
  /** Segments that were not looked at, since all of their rows are under it. */
  segments: number;
  rows: number;
  labels: number;
}

/**
 * Quarantines over the rows of one model: which segments need not be fetched, which rows and labels stay out. What it leaves out it counts,
 * each under the first statement that names it.
 */
export class QuarantinedRows {
  readonly #kept: readonly KeptOut[];
  readonly #model: Digest;
  readonly #included: boolean;

  /** @param included they go in, marked */
  constructor(standing: readonly HonouredQuarantine[], model: Digest, included: boolean) {
    this.#kept = standing.map((one) => ({ ...one, segments: 0, rows: 0, labels: 0 }));
    this.#model = model;
    this.#included = included;
  }

  /** Those that there is something of. */
  get kept(): readonly KeptOut[] {
    return this.#kept.filter(({ segments, rows, labels }) => segments + rows + labels > 0);
  }

  /** The segments that are worth fetching. */
  toFetch(items: readonly SegmentItem[]): readonly SegmentItem[] {
    if (this.#included) return items;
    return items.filter((item) => {
      const over = this.#kept.find(({ what }) => coversSegment(what, item, this.#model));
      if (over !== undefined) over.segments += 1;
      return over === undefined;
    });
  }

  /**
   * The row with the labels that stay in it, or with all of them, marked. A label is an entry of the ledger by itself, and a quarantine may be
   * of the label alone.
   */
  shown(row: SegmentRow): SegmentRow {
    if (this.#kept.length === 0) return row;
    const labels = row.labels.flatMap((label): readonly RowLabel[] => {
      const quarantined = this.marksOf({ ...row, index: label.index });
      if (quarantined.length === 0) return [label];
      return this.#included ? [{ ...label, quarantined } as RowLabel] : [];
    });
    return { ...row, labels };
  }

  /** Whether the row stays out, or would; counted. `row`: as it was before `shown`. */
  leavesOut(row: SegmentRow): boolean {
    const over = this.#over(row);
    if (over !== undefined) {
      over.rows += 1;
      return !this.#included;
    }
    for (const label of row.labels) {
      const own = this.#over({ ...row, index: label.index });
      if (own !== undefined) own.labels += 1;
    }
    return false;
  }

  /** Statements that a row is under, where it goes in nevertheless. */
  marksOf(row: Pick<SegmentRow, "origin" | "index">): readonly Digest[] {
    const { origin, index } = row;
    return this.#kept
      .filter(({ what }) => coversRecord(what, { origin, index, model: this.#model }))
      .map(({ statement }) => statement);
  }

  /** Statements that some of a range of a ledger is under. */
  marksOfRange(range: { readonly origin: string; readonly from: number; readonly to: number }): readonly Digest[] {
    return this.#kept
      .filter(({ what }) => touches(what, range) || (what.kind === "model" && what.manifest === this.#model))
      .map(({ statement }) => statement);
  }

  /** Counts from the beginning, as before the rows are gone through again. */
  restart(): void {
    for (const kept of this.#kept) Object.assign(kept, { rows: 0, labels: 0 });
  }

  #over({ origin, index }: Pick<SegmentRow, "origin" | "index">): KeptOut | undefined {
    return this.#kept.find(({ what }) => coversRecord(what, { origin, index, model: this.#model }));
  }
}
