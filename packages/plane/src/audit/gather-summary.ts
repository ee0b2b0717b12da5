import { consistencyMember, digestFromHash, type HeadLeaf, memberTypes, type SummaryQuestion } from "@tally/evidence";
import type { MirroredLog } from "@tally/ledger";
import { gatherPredecessor } from "./gather-decisions.ts";
import { gatherAllHeads } from "./gather-fleet.ts";
import { gatherContradictions, gatherEntry, gatherHeadNotes, gatherStep, isAsked } from "./gather-ledger.ts";
import type { Gathered } from "./gathered.ts";
import { HeadsTree } from "./heads-tree.ts";
import type { AnchorRow, AuditSource, HeadsAt } from "./source.ts";
import { statingEntries } from "./stating-entries.ts";
import { thin } from "./thin.ts";

/** How many brackets an answer shows beside those at the interval's bounds, in all and of one ledger. */
const maxSamples = 32;
const maxSamplesOfLedger = 8;

/**
 * Adds what proves a summary: for each ledger the summaries around the interval's bounds, what chains their runs, the
 * loads that they count, and anchors. The heads at the two bounds are of one `heads` entry each for the whole fleet.
 */
export async function gatherSummary(
  source: AuditSource,
  question: SummaryQuestion,
  heads: number,
  gathered: Gathered,
): Promise<void> {
  const leaves = await source.headsLeaves(heads);
  gatherAllHeads(heads, leaves, gathered);
  const asked = leaves.filter(({ origin }) => isAsked(question, origin));
  const bounds = {
    start: await boundAt(source, await source.headsNotAfter(question.from), heads, gathered),
    end: await boundAt(source, await source.headsNotAfter(question.to - 1), heads, gathered),
  };
  const sampled = new Set(thin(asked, maxSamples));
  const samples = Math.min(maxSamplesOfLedger, Math.ceil(maxSamples / Math.max(1, asked.length)));
  for (const leaf of leaves) {
    await gatherContradictions(source, leaf.origin, gathered);
    if (!isAsked(question, leaf.origin)) continue;
    await gatherHeadNotes(source, leaf, gathered);
    const log = source.mirror(leaf.origin);
    if (leaf.mirroredSize === 0 || log === undefined) continue;
    await gatherPredecessor(source, leaf, leaves, gathered);
    const ledger = { source, question, log, size: leaf.mirroredSize, gathered };
    await gatherLedger(ledger, leaf, bounds, sampled.has(leaf) ? samples : 0);
  }
}

/** What is the same for all parts of one ledger. */
interface Ledger {
  readonly source: AuditSource;
  readonly question: SummaryQuestion;
  readonly log: MirroredLog;
  readonly size: number;
  readonly gathered: Gathered;
}

/** The fleet at one bound; its tree is left out where it is that of the newest heads, which are all there anyway. */
interface Bound {
  readonly tree: HeadsTree | undefined;
}

async function boundAt(
  source: AuditSource,
  at: HeadsAt | undefined,
  newest: number,
  gathered: Gathered,
): Promise<Bound | undefined> {
  if (at === undefined) return undefined;
  await gathered.addPlaneNote(at.note);
  if (at.headsIndex >= newest) return { tree: undefined };
  return { tree: new HeadsTree(at.headsIndex, await source.headsLeaves(at.headsIndex)) };
}

async function gatherLedger(
  ledger: Ledger,
  leaf: HeadLeaf,
  bounds: { readonly start: Bound | undefined; readonly end: Bound | undefined },
  samples: number,
): Promise<void> {
  const { source, question, log, size, gathered } = ledger;
  const { origin } = log;
  const olderThan = await gatherBound(ledger, leaf, bounds.start);
  const within = await gatherBound(ledger, leaf, bounds.end);

  const anchors = (await source.anchors(origin)).filter(({ index, notBefore }) => index < size && notBefore !== null);
  const opening = anchors.find(({ notBefore }) => notBefore! >= question.from);
  const closing = anchors.find(({ notBefore }) => notBefore! >= question.to);
  const chosen = new Set([opening, closing, anchors.at(-1)]);
  const end = closing?.index ?? size;
  for (const anchor of await gatherSamples(ledger, anchors, { from: olderThan, to: end }, samples)) chosen.add(anchor);
  const entries = new Set([0]);
  for (const anchor of chosen) {
    if (anchor === undefined) continue;
    await gathered.addPlaneNote(anchor.note);
    entries.add(anchor.index);
  }
  const bound = { start: olderThan, end, opening: opening?.index, within };
  for (const index of (await statingEntries(source, log, size, bound)).entries) entries.add(index);
  for (const index of await source.gaps(origin, olderThan, end)) entries.add(index);
  for (const index of [...entries].sort((a, b) => a - b)) await gatherEntry(log, index, size, gathered);
}

/** Adds the ledger's head at a bound, and gives its size: 0 where it had none. */
async function gatherBound(ledger: Ledger, newest: HeadLeaf, bound: Bound | undefined): Promise<number> {
  if (bound === undefined) return 0;
  if (bound.tree === undefined) return Math.min(newest.pendingSize, ledger.size);
  const { log, size, gathered } = ledger;
  const leaf = bound.tree.leaf(log.origin);
  // A head above what is mirrored cannot be shown to be of the mirrored ledger.
  if (leaf === undefined || leaf.pendingNoteHash === null || leaf.pendingSize > size) return 0;
  gathered.add(await bound.tree.member(log.origin));
  gathered.addPlaneEntry(bound.tree.heads);
  if (gathered.isRevoked(log.origin)) {
    await gathered.addStored(memberTypes.deviceCheckpoint, digestFromHash(leaf.pendingNoteHash));
  }
  if (leaf.pendingSize < size) {
    const proof = await log.consistencyProof(leaf.pendingSize, size);
    gathered.add(consistencyMember({ origin: log.origin, smaller: leaf.pendingSize, larger: size, proof }));
  }
  return leaf.pendingSize;
}

/** Pairs of anchors that follow one another, and the first head after each: the brackets of what lies between them. */
async function gatherSamples(
  { source, log, size, gathered }: Ledger,
  anchors: readonly AnchorRow[],
  { from, to }: { from: number; to: number },
  samples: number,
): Promise<readonly AnchorRow[]> {
  const within = anchors
    .map((anchor, i) => ({ anchor, before: anchors[i - 1] }))
    .filter(({ anchor: { index }, before }) => before !== undefined && index > from && index <= to);
  const chosen: AnchorRow[] = [];
  for (const { anchor, before } of samples === 0 ? [] : thin(within, samples)) {
    const step = await source.headStepFrom(log.origin, anchor.index);
    if (step === undefined || step.pendingSize > size) continue;
    await gatherStep(source, step, log, size, gathered);
    chosen.push(before!, anchor);
  }
  return chosen;
}
