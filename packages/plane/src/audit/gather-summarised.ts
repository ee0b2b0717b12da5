import {
  type Digest,
  decodeEntry,
  type HeadLeaf,
  type Load,
  proofFromRanges,
  type RecordsQuestion,
  sliceLength,
  sparseEntriesMember,
  sparseRanges,
} from "@tally/evidence";
import type { MirroredLog } from "@tally/ledger";
import { gatherErasures } from "./gather-erasures.ts";
import { gatherContradictions, gatherEntry, gatherHeadNotes, gatherTimes } from "./gather-ledger.ts";
import type { Gathered } from "./gathered.ts";
import type { AuditSource } from "./source.ts";
import { statingEntries } from "./stating-entries.ts";

/**
 * Adds what proves one ledger's records of an interval without its other entries: the records of the model with their
 * ordinals, a neighbour beyond each bound, and the summaries that count them. Returns the loads under which they were made.
 */
export async function gatherSummarised(
  source: AuditSource,
  question: RecordsQuestion,
  leaf: HeadLeaf,
  heads: number,
  gathered: Gathered,
): Promise<readonly Load[]> {
  const { origin, mirroredSize: size } = leaf;
  await gatherHeadNotes(source, leaf, gathered);
  await gatherContradictions(source, origin, gathered);
  const log = source.mirror(origin);
  if (size === 0 || log === undefined) return [];
  const { start, end, anchors } = await gatherTimes(source, question, leaf, heads, log, gathered);
  const stating = await statingEntries(source, log, size, { start, end, opening: undefined, within: start });
  const singles = new Set([0, ...anchors, ...stating.entries, ...(await source.gaps(origin, start, end))]);
  const { wanted, loads } = await loadsOf(log, stating.grown, question.model);
  // What follows the last summary is not counted by any: all of it has to be there.
  for (let index = stating.upper + 1; index < end; index += 1) {
    const entry = decodeEntry(await log.entry(index));
    if (entry.kind !== "inference" || stating.grown.has(entry.loadIndex)) continue;
    const more = await loadsOf(log, [entry.loadIndex], question.model);
    singles.add(entry.loadIndex);
    loads.push(...more.loads);
  }
  for (const index of [...singles].sort((a, b) => a - b)) await gatherEntry(log, index, size, gathered);
  await gatherPackages({ source, log, size, gathered }, wanted, { start, end, ...stating });
  await gatherErasures(source, origin, stating.lower, Math.max(end, stating.upper), gathered);
  return loads;
}

/** The loads of the model among these, by their entries. */
async function loadsOf(log: MirroredLog, indices: Iterable<number>, model: Digest | null) {
  const wanted = new Set<number>();
  const loads: Load[] = [];
  for (const index of indices) {
    const load = decodeEntry(await log.entry(index));
    if (load.kind !== "load") continue;
    loads.push(load);
    if (model === null || load.manifest === model) wanted.add(index);
  }
  return { wanted, loads };
}

interface Packages {
  readonly source: AuditSource;
  readonly log: MirroredLog;
  readonly size: number;
  readonly gathered: Gathered;
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly lower: number;
  readonly upper: number;
}

/** Adds records, a package at a time: those of [start, end), one neighbour of each load on either side, and the tail. */
async function gatherPackages(
  packages: Packages,
  wanted: ReadonlySet<number>,
  { start, end, lower, upper }: Range,
): Promise<void> {
  const { source, log } = packages;
  const numbers = new Set(await source.packagesOf(log.origin, wanted, lower, upper + 1));
  for (let index = upper + 1; index < end; index += sliceLength) numbers.add(Math.floor(index / sliceLength));
  if (end > upper + 1) numbers.add(Math.floor((end - 1) / sliceLength));
  /** The last record below the interval, by load. */
  const before = new Map<number, number>();
  const after = new Set<number>();
  const chosen: number[] = [];
  const flush = async (number: number): Promise<void> => {
    const own = chosen.filter((index) => Math.floor(index / sliceLength) === number);
    if (own.length > 0) await addSparse(packages, own);
    chosen.splice(0, own.length);
  };
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const [from, to] = [number * sliceLength, Math.min((number + 1) * sliceLength, Math.max(end, upper + 1))];
    let index = from - 1;
    for await (const bytes of log.entries(from, to)) {
      index += 1;
      if (index <= lower) continue;
      const entry = decodeEntry(bytes);
      if (index > upper) {
        if (index < end) chosen.push(index);
        continue;
      }
      if (entry.kind !== "inference" || !wanted.has(entry.loadIndex)) continue;
      if (index < start) before.set(entry.loadIndex, index);
      else if (index < end) chosen.push(index);
      else if (!after.has(entry.loadIndex)) {
        after.add(entry.loadIndex);
        chosen.push(index);
      }
    }
    // Neighbours below come first, and are known once the interval has begun.
    if (to <= start) continue;
    if (before.size > 0) {
      chosen.push(...before.values());
      chosen.sort((a, b) => a - b);
      before.clear();
      for (const earlier of new Set(chosen.map((at) => Math.floor(at / sliceLength)))) await flush(earlier);
    } else await flush(number);
  }
  chosen.push(...before.values());
  chosen.sort((a, b) => a - b);
  for (const number of new Set(chosen.map((at) => Math.floor(at / sliceLength)))) await flush(number);
}

async function addSparse({ log, size, gathered }: Packages, indices: readonly number[]): Promise<void> {
  const first = indices[0]!;
  const from = first - (first % sliceLength);
  const all = await Array.fromAsync(log.entries(from, Math.min(from + sliceLength, size)));
  const entries = indices.map((index) => all[index - from]!);
  const proof = await proofFromRanges(sparseRanges(indices, size), (level, index) => log.node(level, index));
  gathered.add(sparseEntriesMember({ origin: log.origin, size, indices: [...indices], entries, proof }));
}
