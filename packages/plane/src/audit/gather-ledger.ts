import {
  consistencyMember,
  contradictionMember,
  type Digest,
  decodeEntry,
  deviceEntryMember,
  digestFromHash,
  type HeadLeaf,
  type IntervalQuestion,
  type Load,
  memberTypes,
  type RecordsQuestion,
  rangeProofMember,
  scanPlainInference,
} from "@tally/evidence";
import type { MirroredLog } from "@tally/ledger";
import { gatherErasures } from "./gather-erasures.ts";
import { gatherHead } from "./gather-fleet.ts";
import type { Gathered } from "./gathered.ts";
import type { AnchorRow, AuditSource, HeadStep } from "./source.ts";
import { thin } from "./thin.ts";

/** How many times of one ledger an answer proves at the most: more only narrow brackets further. */
const maxTimes = 64;

/** Whether a question is about the ledger's device. */
export function isAsked({ devices }: IntervalQuestion, origin: string): boolean {
  return devices === null || devices.some((id) => origin.includes(`/d/${id}/`));
}

/** Adds what proves one ledger's records of an interval, and returns the loads under which they were made. */
export async function gatherRecords(
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

  const { start, end, times } = await boundsOf(source, question, leaf, heads);
  const from = start === 0 ? 0 : await source.statingEntryAt(origin, Math.min(start, size - 1));
  const to = end === undefined ? size : Math.max(end + 1, from + 1);

  await gatherSteps(question, leaf, log, times, gathered, source);
  await gatherAnchors(question, times.anchors, from, to, log, size, gathered);
  const loads = await gatherSlice(log, from, to, size, gathered);
  for (const index of loads.before) await gatherEntry(log, index, size, gathered);
  if (from > 0) await gatherEntry(log, 0, size, gathered);
  await gatherErasures(source, origin, from, to, gathered);
  const before = await Promise.all(loads.before.map(async (index) => decodeEntry(await log.entry(index))));
  return [...before, ...loads.within].filter((entry) => entry.kind === "load");
}

/** What is known of a ledger's times. */
interface Times {
  readonly steps: readonly HeadStep[];
  readonly older: HeadStep | undefined;
  readonly anchors: readonly AnchorRow[];
}

/** The size that is proven older than the interval, and the first anchor that is younger. */
async function boundsOf(
  source: AuditSource,
  question: RecordsQuestion,
  { origin, mirroredSize: size }: HeadLeaf,
  heads: number,
): Promise<{ start: number; end: number | undefined; times: Times }> {
  const steps = (await source.headHistory(origin)).filter((step) => step.headsIndex < heads);
  const older = steps.filter((step) => step.notAfter <= question.from).at(-1);
  const anchors = (await source.anchors(origin)).filter((anchor) => anchor.index < size);
  const closing = anchors.find((anchor) => anchor.notBefore !== null && anchor.notBefore >= question.to);
  return { start: Math.min(older?.pendingSize ?? 0, size), end: closing?.index, times: { steps, older, anchors } };
}

/** Adds the times of a ledger's interval for who adds no slice: its bounds, and the anchors to be proven one by one. */
export async function gatherTimes(
  source: AuditSource,
  question: RecordsQuestion,
  leaf: HeadLeaf,
  heads: number,
  log: MirroredLog,
  gathered: Gathered,
): Promise<{ readonly start: number; readonly end: number; readonly anchors: readonly number[] }> {
  const { start, end = leaf.mirroredSize, times } = await boundsOf(source, question, leaf, heads);
  await gatherSteps(question, leaf, log, times, gathered, source);
  const known = times.anchors.filter(({ notBefore }) => notBefore !== null);
  const before = known.filter(({ index }) => index < start).at(-1);
  const within = known.filter(({ index }) => index >= start && index <= end);
  const chosen = new Set([before, ...thin(within, maxTimes), known.at(-1)].filter((anchor) => anchor !== undefined));
  for (const anchor of chosen) await gathered.addPlaneNote(anchor.note);
  return { start, end, anchors: [...chosen].map(({ index }) => index) };
}

/** Adds the checkpoints that a heads leaf names, and the proof that the longer one continues the shorter. */
export async function gatherHeadNotes(source: AuditSource, leaf: HeadLeaf, gathered: Gathered): Promise<void> {
  if (leaf.pendingNoteHash === null) return;
  await gathered.addStored(memberTypes.deviceCheckpoint, digestFromHash(leaf.pendingNoteHash));
  await gatherHandovers(source, leaf, gathered);
  if (leaf.mirroredSize === 0 || leaf.mirroredSize === leaf.pendingSize) return;
  const note = await source.mirroredNote(leaf.origin, leaf.mirroredSize);
  if (note !== undefined) gathered.add({ type: memberTypes.deviceCheckpoint, bytes: note });
}

/** Adds the checkpoints by which the ledger's keys were handed over, and that they are of this history. */
async function gatherHandovers(source: AuditSource, leaf: HeadLeaf, gathered: Gathered): Promise<void> {
  const { origin, mirroredSize } = leaf;
  const log = source.mirror(origin);
  for (const { size, note } of await source.handovers(origin)) {
    if (size > leaf.pendingSize || log === undefined || log.size < size) continue;
    await gathered.addStored(memberTypes.deviceCheckpoint, note);
    const [smaller, larger] = size < mirroredSize ? [size, mirroredSize] : [mirroredSize, size];
    if (smaller === 0 || smaller === larger) continue;
    const proof = await log.consistencyProof(smaller, larger);
    gathered.add(consistencyMember({ origin, smaller, larger, proof }));
  }
}

/** Adds one entry with its inclusion proof under the mirrored head. */
export async function gatherEntry(log: MirroredLog, index: number, size: number, gathered: Gathered): Promise<void> {
  const [bytes, proof] = await Promise.all([log.entry(index), log.inclusionProof(index, size)]);
  gathered.add(deviceEntryMember(log.origin, { index, bytes, size, proof }));
}

/** Adds an earlier head of a ledger, its time, and the proof that the mirrored ledger begins with it. */
export async function gatherStep(
  source: AuditSource,
  step: HeadStep,
  log: MirroredLog,
  size: number,
  gathered: Gathered,
): Promise<void> {
  const leaf = await gatherHead(source, step.headsIndex, log.origin, gathered);
  await gathered.addPlaneNote(step.note);
  // A signature by keys that are revoked since counts by its own time: the note has to be there to see.
  const note = leaf?.pendingNoteHash ?? null;
  if (gathered.isRevoked(log.origin) && note !== null) {
    await gathered.addStored(memberTypes.deviceCheckpoint, digestFromHash(note));
  }
  const [smaller, larger] = step.pendingSize < size ? [step.pendingSize, size] : [size, step.pendingSize];
  if (smaller === 0 || smaller === larger) return;
  const proof = await log.consistencyProof(smaller, larger);
  gathered.add(consistencyMember({ origin: log.origin, smaller, larger, proof }));
}

async function gatherSteps(
  question: RecordsQuestion,
  leaf: HeadLeaf,
  log: MirroredLog,
  { steps, older }: Times,
  gathered: Gathered,
  source: AuditSource,
): Promise<void> {
  const size = leaf.mirroredSize;
  const after = steps.findIndex((step) => step.notAfter >= question.to);
  const within = steps.slice(older === undefined ? 0 : steps.indexOf(older) + 1, after < 0 ? steps.length : after + 1);
  const chosen = [...(older === undefined ? [] : [older]), ...thin(within, maxTimes)];
  // A head above what is mirrored proves the time of nothing that the answer can show.
  for (const step of chosen) if (step.pendingSize <= size) await gatherStep(source, step, log, size, gathered);
}

async function gatherAnchors(
  question: RecordsQuestion,
  anchors: readonly AnchorRow[],
  from: number,
  to: number,
  log: MirroredLog,
  size: number,
  gathered: Gathered,
): Promise<void> {
  const before = anchors.filter(({ index }) => index < from).at(-1);
  const within = anchors.filter(({ index }) => index >= from && index < to);
  const first = within.find(({ notBefore }) => notBefore !== null && notBefore >= question.from);
  const chosen = new Set([before, first, within.at(-1), ...thin(within, maxTimes)]);
  for (const anchor of chosen) if (anchor !== undefined) await gathered.addPlaneNote(anchor.note);
  if (before !== undefined && before.index > 0) await gatherEntry(log, before.index, size, gathered);
  const genesis = anchors.find(({ index }) => index === 0);
  if (genesis !== undefined) await gathered.addPlaneNote(genesis.note);
}

async function gatherSlice(log: MirroredLog, from: number, to: number, size: number, gathered: Gathered) {
  const { left, right } = await log.rangeProof(from, to, size);
  gathered.add(rangeProofMember({ origin: log.origin, from, to, size, left, right }));
  const before: number[] = [];
  const within: Load[] = [];
  gathered.addEntries(log, from, to);
  const place = { loadIndex: 0, ordinal: 0 };
  let at = from - 1;
  for await (const bytes of log.entries(from, to)) {
    at += 1;
    if (scanPlainInference(bytes, 0, bytes.length, place)) continue;
    const entry = decodeEntry(bytes);
    if (at === from && entry.kind === "summary") {
      for (const { loadIndex, unloadIndex } of entry.loads) if (unloadIndex === null) before.push(loadIndex);
    }
    if (entry.kind === "load" && entry.outcome === "accepted") within.push(entry);
  }
  return { before, within };
}

export async function gatherContradictions(source: AuditSource, origin: string, gathered: Gathered): Promise<void> {
  for (const { held, refused, proof } of await source.contradictions(origin)) {
    gathered.add(contradictionMember({ origin, held, refused, proof }));
  }
}

/** What loads name by digest: verdicts, and lists of files that are too long for an entry. */
export function blobsOf(loads: readonly Load[]): ReadonlySet<Digest> {
  const named = loads.flatMap(({ permit, filesBlob }) => [permit, filesBlob ?? null]);
  return new Set(named.filter((digest) => digest !== null));
}
