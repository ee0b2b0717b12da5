import type { Digest } from "../digest.ts";
import type { LedgerSummary } from "./summary.ts";

/** The totals of a summary: what was made in the interval, by which models, on which ledgers, without any record. */
export interface SummaryAnswer {
  readonly ledgers: readonly LedgerSummary[];
  readonly models: readonly ModelTotal[];
  readonly atLeast: number;
  readonly atMost: number;
}

export interface ModelTotal {
  readonly model: Digest | null;
  readonly atLeast: number;
  readonly atMost: number;
  /** Devices with such records. */
  readonly devices: number;
}

/** What holds of an answer from which entries were left out (evidence.md 5). */
export const reliesOnSummaries =
  "counts are what each device stated and the plane recomputed as the entries arrived: they hold unless the two have agreed on a lie";
export const reliesOnHeads =
  "that no ledger is left out is proven by the fleet log and the heads; what a device has not delivered is not counted";

/** Adds up what the ledgers' summaries say. */
export function totalsOf(ledgers: readonly LedgerSummary[]): SummaryAnswer {
  const rows = ledgers.flatMap(({ deviceId, models }) => models.map((count) => ({ ...count, deviceId })));
  const models = [...Map.groupBy(rows, ({ model }) => model)].map(([model, own]) => ({
    model,
    atLeast: sum(own.map(({ atLeast }) => atLeast)),
    atMost: sum(own.map(({ atMost }) => atMost)),
    devices: new Set(own.map(({ deviceId }) => deviceId)).size,
  }));
  return {
    ledgers,
    models: models.sort((a, b) => ((a.model ?? "") < (b.model ?? "") ? -1 : 1)),
    atLeast: sum(ledgers.map(({ atLeast }) => atLeast)),
    atMost: sum(ledgers.map(({ atMost }) => atMost)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
