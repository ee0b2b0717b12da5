import {
  type Digest,
  decodeEntry,
  digestFromHash,
  type Load,
  memberTypes,
  type Question,
  type RecordQuestion,
  type RecordsQuestion,
  streamBundle,
} from "@tally/evidence";
import { PlaneError } from "../error.ts";
import { gatherDecisions, gatherPredecessor } from "./gather-decisions.ts";
import { gatherErasures } from "./gather-erasures.ts";
import { gatherAllHeads, gatherFleet, gatherHead } from "./gather-fleet.ts";
import {
  blobsOf,
  gatherContradictions,
  gatherEntry,
  gatherHeadNotes,
  gatherRecords,
  gatherStep,
  isAsked,
} from "./gather-ledger.ts";
import { gatherModel } from "./gather-models.ts";
import { gatherDeviceQuarantines, gatherRecordQuarantines } from "./gather-quarantines.ts";
import { gatherSummarised } from "./gather-summarised.ts";
import { gatherSummary } from "./gather-summary.ts";
import { beginAnswer, type Gathered } from "./gathered.ts";
import type { AuditSource, CosignedCheckpoint } from "./source.ts";

/** Bytes of one verdict, and of all in one answer. */
const maxPermitBytes = 256 * 1024;
const maxPermitsBytes = 64 * 1024 * 1024;

/** What goes into an answer about records: every entry of the interval, or the records and what counts them. */
export type AnswerDetail = "full" | "summarised";

/**
 * Answers a question with an evidence bundle: everything that a verifier needs to recompute the answer, and nothing else.
 *
 * @throws PlaneError `not-ready` before the first cosigned checkpoint, `not-found` for a device or record that is not there.
 */
export async function answer(
  source: AuditSource,
  question: Question,
  detail: AnswerDetail = "full",
): Promise<Uint8Array> {
  const parts = await Array.fromAsync(streamAnswer(source, question, detail));
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * The same piece by piece: of the entries, one member at a time is in memory. The answer to one question as of one checkpoint
 * has the same bytes whenever it is asked.
 */
export async function* streamAnswer(
  source: AuditSource,
  question: Question,
  detail: AnswerDetail = "full",
  at?: CosignedCheckpoint,
): AsyncGenerator<Uint8Array> {
  const gathered = await gather(source, question, detail, at);
  yield* streamBundle(question, await gathered.finish(), gathered.entries);
}

async function gather(
  source: AuditSource,
  question: Question,
  detail: AnswerDetail,
  at?: CosignedCheckpoint,
): Promise<Gathered> {
  const { gathered, newest, heads } = await beginAnswer(source, at);
  const { revoked, decisions } = await gatherFleet(source, heads, gathered);
  gathered.revoked = revoked;
  if (question.kind === "summary") {
    await gatherSummary(source, question, heads, gathered);
    return gathered;
  }
  const loads =
    question.kind === "records"
      ? await gatherInterval(source, question, detail, heads, gathered)
      : await gatherReceipt(source, question, heads, newest.size, gathered);
  const asked = (origin: string) =>
    question.kind === "record" ? origin === question.origin : isAsked(question, origin);
  await gatherDecisions(source, decisions, asked, gathered);
  const manifests = new Set<Digest>();
  for (const { manifest } of loads) if (manifest !== null) manifests.add(manifest);
  if (question.kind === "records" && question.model !== null) manifests.add(question.model);
  for (const manifest of manifests) await gatherModel(source, manifest, gathered);
  await gatherNamed(source, blobsOf(loads), gathered);
  return gathered;
}

/** Adds what loads name. Devices name and store what they like: what is too large for a verdict stays out. */
async function gatherNamed(source: AuditSource, named: Iterable<Digest>, gathered: Gathered): Promise<void> {
  let room = maxPermitsBytes;
  for (const digest of named) {
    const bytes = await source.blob(digest);
    if (bytes === undefined || bytes.length > Math.min(room, maxPermitBytes)) continue;
    room -= bytes.length;
    gathered.add({ type: memberTypes.blob, bytes });
  }
}

async function gatherInterval(
  source: AuditSource,
  question: RecordsQuestion,
  detail: AnswerDetail,
  heads: number,
  gathered: Gathered,
): Promise<readonly Load[]> {
  const gatherIn = detail === "full" ? gatherRecords : gatherSummarised;
  const leaves = await source.headsLeaves(heads);
  gatherAllHeads(heads, leaves, gathered);
  const loads: Load[] = [];
  for (const leaf of leaves) {
    if (!isAsked(question, leaf.origin)) {
      await gatherContradictions(source, leaf.origin, gathered);
      continue;
    }
    await gatherPredecessor(source, leaf, leaves, gathered);
    await gatherDeviceQuarantines(source, leaf.origin, gathered);
    const found = await gatherIn(source, question, leaf, heads, gathered);
    loads.push(...found.filter(({ manifest }) => question.model === null || manifest === question.model));
  }
  return loads;
}

async function gatherReceipt(
  source: AuditSource,
  question: RecordQuestion,
  heads: number,
  planeSize: number,
  gathered: Gathered,
): Promise<readonly Load[]> {
  const { origin, index } = question;
  const leaf = (await source.headsLeaves(heads)).find((candidate) => candidate.origin === origin);
  const log = source.mirror(origin);
  if (leaf === undefined || log === undefined || index >= leaf.mirroredSize) {
    throw new PlaneError("not-found", `no cosigned head covers entry ${index} of ${origin} yet`, {
      hint: "sync the device, wait for the next checkpoint of the plane, and ask again",
    });
  }
  const record = decodeEntry(await log.entry(index));
  if (record.kind !== "inference") {
    throw new PlaneError("not-found", `entry ${index} of ${origin} is ${record.kind}, not a record`);
  }
  const size = leaf.mirroredSize;
  await gatherHead(source, heads, origin, gathered);
  await gatherHeadNotes(source, leaf, gathered);
  await gatherContradictions(source, origin, gathered);
  const step = (await source.headHistory(origin)).find(
    ({ pendingSize, headsIndex }) => pendingSize > index && pendingSize <= size && headsIndex < planeSize,
  );
  if (step !== undefined && step.headsIndex !== heads) await gatherStep(source, step, log, size, gathered);
  const anchor = (await source.anchors(origin)).filter((row) => row.index < index).at(-1);
  if (anchor !== undefined) await gathered.addPlaneNote(anchor.note);
  const genesis = decodeEntry(await log.entry(0));
  if (genesis.kind === "genesis") await gathered.addPlaneNote(digestFromHash(genesis.anchor.noteHash));
  const stating = await source.statingEntryAfter(origin, index);
  const entries = new Set([
    0,
    record.loadIndex,
    index,
    ...(anchor ? [anchor.index] : []),
    ...(stating ? [stating] : []),
  ]);
  for (const at of entries) await gatherEntry(log, at, size, gathered);
  await gatherErasures(source, origin, index, index + 1, gathered);
  const load = decodeEntry(await log.entry(record.loadIndex));
  const model = load.kind === "load" ? load.manifest : null;
  await gatherRecordQuarantines(source, { origin, index, model }, gathered);
  return load.kind === "load" ? [load] : [];
}
