import { digestFromHash, type HeadLeaf, memberTypes, type SummaryQuestion } from "@tally/evidence";
import { eachOf } from "./each-of.ts";
import { gatherPredecessor } from "./gather-decisions.ts";
import { gatherAllHeads } from "./gather-fleet.ts";
import { gatherContradictions, gatherHeadNotes, isAsked } from "./gather-ledger.ts";
import type { Gathered } from "./gathered.ts";
import { type HeadsTree, HeadsTrees } from "./heads-tree.ts";
import { LedgerProver } from "./ledger-prover.ts";
import type { AnchorRow, AuditSource, HeadsAt } from "./source.ts";
import { statingEntries } from "./stating-entries.ts";
import { thin } from "./thin.ts";

/** How many brackets an answer shows beside those at the interval's bounds, in all and of one ledger. */
const maxSamples = 32;
const maxSamplesOfLedger = 8;
/** Each shows a head in a tree of the whole fleet, which is hashed for it: of a large fleet there are fewer, but these. */
const maxSampledLeaves = 8192;
const minSamples = 4;

/** Ledgers that are read at a time: most of the time of one is waiting for the disk. */
const ledgersAtOnce = 8;

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
  const trees = new HeadsTrees(source);
  const bounds = {
    start: await boundAt(trees, await source.headsNotAfter(question.from), heads, gathered),
    end: await boundAt(trees, await source.headsNotAfter(question.to - 1), heads, gathered),
  };
  const room = Math.max(minSamples, Math.floor(maxSampledLeaves / Math.max(1, leaves.length)));
  const most = Math.min(maxSamples, room);
  const sampled = new Set(thin(asked, most));
  const samples = Math.min(maxSamplesOfLedger, Math.ceil(most / Math.max(1, asked.length)));
  await eachOf(leaves, ledgersAtOnce, async (leaf) => {
    await gatherContradictions(source, leaf.origin, gathered);
    if (!isAsked(question, leaf.origin)) return;
    await gatherHeadNotes(source, leaf, gathered);
    const log = source.mirror(leaf.origin);
    if (leaf.mirroredSize === 0 || log === undefined) return;
    await gatherPredecessor(source, leaf, leaves, gathered);
    const prover = new LedgerProver(log, leaf.mirroredSize);
    await gatherLedger({ source, question, prover, trees, gathered }, leaf, bounds, sampled.has(leaf) ? samples : 0);
  });
}

/** What is the same for all parts of one ledger. */
interface Ledger {
  readonly source: AuditSource;
  readonly question: SummaryQuestion;
  readonly prover: LedgerProver;
  readonly trees: HeadsTrees;
  readonly gathered: Gathered;
}

/** The fleet at one bound; its tree is left out where it is that of the newest heads, which are all there anyway. */
interface Bound {
  readonly tree: HeadsTree | undefined;
}

async function boundAt(
  trees: HeadsTrees,
  at: HeadsAt | undefined,
  newest: number,
  gathered: Gathered,
): Promise<Bound | undefined> {
  if (at === undefined) return undefined;
  await gathered.addPlaneNote(at.note);
  if (at.headsIndex >= newest) return { tree: undefined };
  return { tree: await trees.of(at.headsIndex) };
}

async function gatherLedger(
  ledger: Ledger,
  leaf: HeadLeaf,
  bounds: { readonly start: Bound | undefined; readonly end: Bound | undefined },
  samples: number,
): Promise<void> {
  const { source, question, prover, gathered } = ledger;
  const { origin, size } = prover;
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
  for (const index of (await statingEntries(source, prover, size, bound)).entries) entries.add(index);
  for (const index of await source.gaps(origin, olderThan, end)) entries.add(index);
  for (const index of entries) gathered.add(await prover.entryMember(index));
}

/** Adds the ledger's head at a bound, and gives its size: 0 where it had none. */
async function gatherBound(ledger: Ledger, newest: HeadLeaf, bound: Bound | undefined): Promise<number> {
  if (bound === undefined) return 0;
  if (bound.tree === undefined) return Math.min(newest.pendingSize, ledger.prover.size);
  return gatherHeadIn(ledger, bound.tree);
}

/** Adds the head that the ledger had in an earlier heads entry, and gives its size: 0 where it had none that can be shown. */
async function gatherHeadIn({ prover, gathered }: Ledger, tree: HeadsTree): Promise<number> {
  const { origin, size } = prover;
  const leaf = tree.leaf(origin);
  // A head above what is mirrored cannot be shown to be of the mirrored ledger.
  if (leaf === undefined || leaf.pendingNoteHash === null || leaf.pendingSize > size) return 0;
  gathered.add(await tree.member(origin));
  gathered.addPlaneEntry(tree.heads);
  // A signature by keys that are revoked since counts by its own time: the note has to be there to see.
  if (gathered.isRevoked(origin)) {
    await gathered.addStored(memberTypes.deviceCheckpoint, digestFromHash(leaf.pendingNoteHash));
  }
  if (leaf.pendingSize > 0 && leaf.pendingSize < size) {
    gathered.add(await prover.consistencyMember(leaf.pendingSize));
  }
  return leaf.pendingSize;
}

/** Pairs of anchors that follow one another, and the first head after each: the brackets of what lies between them. */
async function gatherSamples(
  ledger: Ledger,
  anchors: readonly AnchorRow[],
  { from, to }: { from: number; to: number },
  samples: number,
): Promise<readonly AnchorRow[]> {
  const { source, prover, trees, gathered } = ledger;
  const within = anchors
    .map((anchor, i) => ({ anchor, before: anchors[i - 1] }))
    .filter(({ anchor: { index }, before }) => before !== undefined && index > from && index <= to);
  const chosen: AnchorRow[] = [];
  for (const { anchor, before } of samples === 0 ? [] : thin(within, samples)) {
    const step = await source.headStepFrom(prover.origin, anchor.index);
    if (step === undefined || step.pendingSize > prover.size) continue;
    await gathered.addPlaneNote(step.note);
    await gatherHeadIn(ledger, await trees.of(step.headsIndex));
    chosen.push(before!, anchor);
  }
  return chosen;
}
