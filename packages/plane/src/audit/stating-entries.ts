import { decodeEntry, type LoadCount } from "@tally/evidence";
import type { LogReader } from "@tally/ledger";
import type { AuditSource } from "./source.ts";

/** Where the interval lies in one ledger. */
export interface LedgerBounds {
  /** Entries below are older. */
  readonly start: number;
  /** Entries from here on are younger. */
  readonly end: number;
  /** The first anchor that is certainly within; undefined where there is none. */
  readonly opening: number | undefined;
  /** Entries below existed before the interval ended. */
  readonly within: number;
}

export interface StatingEntries {
  readonly entries: ReadonlySet<number>;
  /** The last that states what was before the interval, and the first that states what was up to its end. */
  readonly lower: number;
  readonly upper: number;
  /** Loads with records between these two. */
  readonly grown: ReadonlySet<number>;
}

/**
 * The entries that state a ledger's counts around an interval: the last summary at or before its start, the first at or
 * after its end, the first and the last that are certainly within, the restarts that chain their runs, and the loads that
 * have records between the first two.
 */
export async function statingEntries(
  source: AuditSource,
  log: Pick<LogReader, "origin" | "entry">,
  size: number,
  { start, end, opening, within }: LedgerBounds,
): Promise<StatingEntries> {
  const { origin } = log;
  const lower = await source.statingEntryAt(origin, Math.min(start, size - 1));
  const after = end < 2 ? 0 : await source.statingEntryAfter(origin, end - 2);
  const upper =
    after !== undefined && after < size ? Math.max(after, lower) : await source.statingEntryAt(origin, size - 1);
  const entries = new Set([lower, upper]);
  if (opening !== undefined && opening > 0) {
    const first = await source.statingEntryAfter(origin, opening - 1);
    if (first !== undefined && first < upper) entries.add(first);
  }
  const last = await source.statingEntryAt(origin, Math.min(within, size - 1));
  if (last > lower && last < upper) entries.add(last);
  const counts = await listed(log, upper);
  const known = await listed(log, lower);
  const grown = new Map(counts.loads.map(({ loadIndex, count }) => [loadIndex, count]));
  for (let run = counts.runStart; run > lower; ) {
    entries.add(run);
    const entry = decodeEntry(await log.entry(run));
    if (entry.kind !== "restart") break;
    for (const { loadIndex, count } of entry.closing) grown.set(loadIndex, count);
    run = entry.previousRun;
  }
  for (const { loadIndex, count } of known.loads) if (grown.get(loadIndex) === count) grown.delete(loadIndex);
  for (const [loadIndex, count] of grown) if (count > 0) entries.add(loadIndex);
  for (const [loadIndex, count] of grown) if (count === 0) grown.delete(loadIndex);
  return { entries, lower, upper, grown: new Set(grown.keys()) };
}

async function listed(
  log: Pick<LogReader, "origin" | "entry">,
  index: number,
): Promise<{ runStart: number; loads: readonly LoadCount[] }> {
  const entry = decodeEntry(await log.entry(index));
  return entry.kind === "summary" ? entry : { runStart: index, loads: [] };
}
