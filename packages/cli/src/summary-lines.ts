import type { BracketWidths, LedgerAnswer, LedgerSummary, Report, SummaryAnswer } from "@tally/evidence";
import { counted, table } from "./terminal/index.ts";

/** A summary as a person reads it: totals, each model, each device and model, and what the counts rely on. */
export function summaryLines(summary: SummaryAnswer, ledgers: readonly LedgerAnswer[]): readonly string[] {
  const byOrigin = new Map(ledgers.map((ledger) => [ledger.origin, ledger]));
  const models = summary.models.map(({ model, devices, ...counts }) => [
    model ?? "no manifest",
    range(counts, 0),
    `on ${counted(devices, "device")}`,
  ]);
  const without = ledgers.filter(({ origin }) => !summary.ledgers.some((ledger) => ledger.origin === origin));
  return [
    "models",
    ...table([...models, ["all", range(summary, 0), `on ${counted(producing(summary), "device")}`]]).map(indent),
    "",
    "devices",
    ...table([
      ...summary.ledgers.flatMap((ledger) => rows(ledger, byOrigin.get(ledger.origin)!)),
      ...without.map(({ origin, standing, coveredUntil }) => [origin, standing, "", "", "", until(coveredUntil)]),
    ]).map(indent),
  ];
}

/** What did not hold, and what it comes to, for a summary that is verified on the spot. */
export function summaryOutcome({ checks, outcome }: Report): readonly string[] {
  const failing = checks.filter(({ result, required }) => required && result !== "good");
  const held = checks.filter(({ result }) => result === "good").length;
  return [
    ...table(failing.map(({ name, about, result, reason }) => [result, name, `${about}: ${reason}`])),
    `${outcome}: ${counted(held, "check")} held, ${failing.length} did not`,
  ];
}

function rows(ledger: LedgerSummary, { standing, coveredUntil, covered, gaps }: LedgerAnswer): string[][] {
  const { origin, models, brackets, tallyVersions, uncounted } = ledger;
  const rest = [
    `uncertain: ${widths(brackets)}`,
    covered ? "interval covered" : until(coveredUntil),
    [
      ...(gaps > 0 ? [counted(gaps, "gap")] : []),
      ...(uncounted > 0 ? [`${uncounted} entries in no summary`] : []),
      ...(tallyVersions.length > 0 ? [`Tally ${tallyVersions.join(", ")}`] : []),
    ].join("; "),
  ];
  const none = [[origin, standing, range({ atLeast: 0, atMost: uncounted }, 0), "", ...rest]];
  const own = models.map((count) => [
    origin,
    standing,
    range(count, uncounted),
    `${short(count.model)} ${count.runtimes.join("; ")}`,
    ...rest,
  ]);
  return own.length === 0 ? none : own;
}

/** `5 records`, `5 to 7 records`; what no summary counts may be records, too. */
function range({ atLeast, atMost }: { atLeast: number; atMost: number }, uncounted: number): string {
  const most = atMost + uncounted;
  return atLeast === most ? counted(most, "record") : `${atLeast} to ${counted(most, "record")}`;
}

function widths({ atStart, atEnd, median }: BracketWidths): string {
  const shown = median === null ? "" : `, ${duration(median)} in between`;
  return `${duration(atStart)} at the start, ${duration(atEnd)} at the end${shown}`;
}

function producing({ ledgers }: SummaryAnswer): number {
  return new Set(ledgers.filter(({ atMost }) => atMost > 0).map(({ deviceId }) => deviceId)).size;
}

function until(ms: number | null): string {
  return ms === null ? "nothing delivered" : `delivered up to ${new Date(ms).toISOString()}`;
}

/** Milliseconds in the largest unit that leaves two digits or more; null is without end. */
function duration(ms: number | null): string {
  if (ms === null) return "open";
  const seconds = Math.round(ms / 1000);
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
  ] as const;
  const [unit, length] = units.find(([, size]) => seconds >= 2 * size) ?? ["s", 1];
  return `${Math.round(seconds / length)} ${unit}`;
}

const short = (model: string | null) => (model === null ? "no manifest" : `${model.slice(0, 19)}…`);
const indent = (line: string) => `  ${line}`;
