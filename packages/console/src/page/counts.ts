import type { LedgerSummary, SummaryAnswer } from "@tally/evidence";
import { element, section } from "./element.ts";
import { type Column, table } from "./table.ts";
import { code, count, counted, device, shortCode } from "./wording.ts";

type LedgerRow = Pick<LedgerSummary, "origin" | "uncounted"> & Partial<LedgerSummary["models"][number]>;

/** What a summary counts, of each model and on each device: it has no records to show. */
export function counts(summary: SummaryAnswer): HTMLElement {
  const rows: LedgerRow[] = summary.ledgers.flatMap(({ origin, uncounted, models }) =>
    models.length === 0 ? [{ origin, uncounted }] : models.map((model) => ({ origin, uncounted, ...model })),
  );
  return section(
    "counts",
    "Counts",
    element("p", { class: "lead" }, `${range(summary)} in the interval`),
    table(counted(summary.models.length, "model"), modelColumns, summary.models),
    table("by device and model", ledgerColumns, rows),
  );
}

const modelColumns: readonly Column<SummaryAnswer["models"][number]>[] = [
  { title: "Model", cell: ({ model }) => (model === null ? "no manifest" : code(model)) },
  { title: "Records", cell: range, numeric: true },
  { title: "Devices", cell: ({ devices }) => count(devices), numeric: true },
];

const ledgerColumns: readonly Column<LedgerRow>[] = [
  { title: "Device", cell: ({ origin }) => device(origin) },
  { title: "Model", cell: ({ model }) => (model === undefined || model === null ? "none" : shortCode(model)) },
  { title: "Records", cell: ({ atLeast = 0, atMost = 0 }) => range({ atLeast, atMost }), numeric: true },
  { title: "Runtime", cell: ({ runtimes = [] }) => runtimes.join("; ") },
  { title: "In no summary yet", cell: ({ uncounted }) => counted(uncounted, "entry", "entries"), numeric: true },
];

/** At least so many are proven to be of the interval, at most so many may be. */
function range({ atLeast, atMost }: { readonly atLeast: number; readonly atMost: number }): string {
  return atLeast === atMost ? counted(atMost, "record") : `${count(atLeast)} to ${counted(atMost, "record")}`;
}
