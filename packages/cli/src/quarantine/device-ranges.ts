import { type DeviceStatus, exitCodeOf, type IntervalQuestion, type Quarantined, verifyRecords } from "@tally/evidence";
import { ledgersOf } from "../fleet-decision.ts";
import type { PlaneClient } from "../plane-client.ts";
import { deviceId, questionOf } from "../question.ts";
import { CliError, type Terminal, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";

type DeviceRange = Extract<Quarantined, { kind: "device" }>;

export interface RangeFlags {
  readonly epoch?: number;
  readonly from?: number;
  readonly to?: number;
  readonly since?: string;
  readonly until?: string;
  readonly trust?: string;
}

/**
 * Which entries of a device's ledgers are meant. Times become entries here, once: those that a verified answer proves to be possibly of the
 * interval, so that whoever honours the statement needs no times.
 *
 * @throws CliError usage; not proven or verification failed where the answer about the times does not hold
 */
export async function deviceRanges(
  terminal: Terminal,
  client: PlaneClient,
  device: string,
  flags: RangeFlags,
): Promise<readonly DeviceRange[]> {
  const { epoch, from, to, since, until } = flags;
  const ledgers = (await ledgersOf(client, deviceId(device))).filter(({ state }) => state !== "awaiting");
  const newest = ledgers.at(-1);
  if (newest === undefined) throw usageError(`the plane knows no ledger of ${device}`, "see: tally device status");
  if (since !== undefined || until !== undefined) {
    if (from !== undefined || to !== undefined || epoch !== undefined) {
      throw usageError(
        "entries and times are two ways to say the same",
        "give --from and --to, or --since and --until",
      );
    }
    return ofTimes(terminal, client, ledgers, flags);
  }
  if (from === undefined && to === undefined && epoch === undefined) return [rangeOf(ledgers[0]!, 0, null)];
  const ledger = epoch === undefined ? newest : ledgers.find((one) => one.epoch === epoch);
  if (ledger === undefined) throw usageError(`${device} has no ledger ${epoch}`, "see: tally device status DEVICE");
  if (to !== undefined && to <= (from ?? 0)) throw usageError(`--to ${to} is not after --from ${from ?? 0}`);
  return [rangeOf(ledger, from ?? 0, to ?? null)];
}

function rangeOf({ origin, genesis }: DeviceStatus, from: number, to: number | null, times: object = {}): DeviceRange {
  return { kind: "device", origin, from, to, genesis, ...times };
}

async function ofTimes(
  terminal: Terminal,
  client: PlaneClient,
  ledgers: readonly DeviceStatus[],
  { since, until, trust }: RangeFlags,
): Promise<readonly DeviceRange[]> {
  const device = ledgers[0]!.deviceId;
  const question = questionOf({
    from: since ?? "1970-01-01",
    to: until ?? new Date().toISOString(),
    device: [device],
  });
  const found = await recordsOf(terminal, client, question, trust);
  const times = {
    ...(since !== undefined && { since: question.from }),
    ...(until !== undefined && { until: question.to }),
  };
  const named = ledgers.flatMap((ledger) => {
    const range = found.get(ledger.origin);
    return range === undefined ? [] : [{ ledger, ...range }];
  });
  if (until !== undefined) {
    if (named.length > 0) return named.map(({ ledger, first, last }) => rangeOf(ledger, first, last + 1, times));
    throw usageError(
      `the plane has no record of ${device} that may be of that time`,
      "a longer time, or --from and --to",
    );
  }
  const [begin] = named;
  if (begin !== undefined) return [rangeOf(begin.ledger, begin.first, null, times)];
  // All that arrived is proven to be older.
  const newest = ledgers.at(-1)!;
  return [rangeOf(newest, newest.mirroredSize, null, times)];
}

/** The first and the last record of each ledger that are, or may be, of the interval. */
async function recordsOf(
  terminal: Terminal,
  client: PlaneClient,
  question: IntervalQuestion,
  trust: string | undefined,
): Promise<ReadonlyMap<string, { readonly first: number; readonly last: number }>> {
  const trusted = await readTrustFile(terminal, { ...(trust !== undefined && { trust }) });
  const query = new URLSearchParams({ from: String(question.from), to: String(question.to) });
  for (const id of question.devices ?? []) query.append("device", id);
  const bundle = await client.bytes(`/api/v1/audit?${query}`);
  const { report, records } = await verifyRecords({
    bundle,
    trust: trusted,
    expected: question,
    now: Date.now(),
    holdRecords: 0,
  });
  if (report.outcome !== "good") {
    const failed = report.checks.find(({ result, required }) => required && result !== "good");
    throw new CliError(
      exitCodeOf(report) as 3 | 6,
      `which records are of that time is not proven: ${failed?.name ?? "the answer"}: ${failed?.reason ?? report.outcome}`,
      { hint: "give --from and --to instead, or look closer: tally audit, tally verify" },
    );
  }
  const found = new Map<string, { first: number; last: number }>();
  for await (const { origin, index } of records.read(0)) {
    const own = found.get(origin);
    if (own === undefined) found.set(origin, { first: index, last: index });
    else Object.assign(own, { first: Math.min(own.first, index), last: Math.max(own.last, index) });
  }
  return found;
}
