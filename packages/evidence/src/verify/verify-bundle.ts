import {
  BundleDamage,
  type BundleIndex,
  type ByteSource,
  bytesSource,
  describeQuestion,
  indexBundle,
  type Question,
  sameQuestion,
} from "../bundle/index.ts";
import type { KeylessVerifier, Trust } from "../trust/index.ts";
import { Checklist, isReadFailure, ReadFailure } from "./check.ts";
import type { Context } from "./context.ts";
import { verifyContradictions } from "./contradictions.ts";
import { verifyErasures } from "./erasures.ts";
import { verifyFleet } from "./fleet.ts";
import { verifyFleetDecisions } from "./fleet-decisions.ts";
import type { Enrolment, Fleet } from "./fleet-entries.ts";
import { checkFreshness } from "./freshness.ts";
import { type Heads, newestHeads, verifyHeads } from "./heads.ts";
import { answerLedger, type LedgerResult } from "./ledger-answer.ts";
import { Materials } from "./materials.ts";
import { verifyModels } from "./models.ts";
import { type PlaneLog, verifyPlaneLog } from "./plane-log.ts";
import { Statements } from "./proven-statements.ts";
import { verifyQuarantines } from "./quarantines.ts";
import type { RecordAnswer } from "./record-answer.ts";
import { heldRecords, joinedRecords, type RecordPages } from "./record-pages.ts";
import { type Answer, outcomeOf, type Report } from "./report.ts";
import { reliesOnHeads, reliesOnSummaries, totalsOf } from "./summary-answer.ts";

export interface VerifyOptions {
  /** The bundle: its bytes, or where to read them piece by piece, twice. */
  readonly bundle: Uint8Array | ByteSource;
  /** All trust there is: nothing in the bundle vouches for itself. */
  readonly trust: Trust;
  /** Finds who of the trust file has signed keyless. Without one such signatures are not verified, and that is said. */
  readonly keyless?: KeylessVerifier;
  /** The question that the caller meant; a bundle that answers another one fails. */
  readonly expected?: Question;
  /** An answer that leaves out entries, and relies on summaries for what they hold, is then not proven. */
  readonly requireFull?: boolean;
  /** Milliseconds since 1970, for the trust file's maximum age. Left out, age is not checked. */
  readonly now?: number;
  /** How many records the report itself holds, the first ones; 1,000 by default. It counts all of them. */
  readonly holdRecords?: number;
  /** Called on the way, many times; what it does must not take long. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How far a verification has come. All counts only grow; all bytes are used before the last checks are made. */
export interface Progress {
  /** Bytes of the file that have been read, to see that it is whole. */
  readonly read: number;
  /** Bytes of the file. */
  readonly size: number;
  /** Bytes of the bundle's members that checks have used so far. */
  readonly used: number;
  /** Bytes of all members. */
  readonly bytes: number;
  readonly checks: number;
}

/** What a verification came to, and the way to the records that it found. */
export interface Verification {
  readonly report: Report;
  /** Every record of the answer, read again from the bundle when it is asked for. Empty without an answer. */
  readonly records: RecordPages;
}

const defaultHeldRecords = 1000;

/**
 * Verifies an evidence bundle and recomputes its answer (evidence.md 9 and 10). Follows the chain: trust file → cosigned
 * plane and fleet checkpoints → enrolment → device keys → device checkpoint → entries → loads → statements. Never throws
 * for what is wrong with a bundle: it is in the report, each check with its reason.
 *
 * @throws what the bundle's source throws; EvidenceError `source-changed` where it changes meanwhile
 */
export async function verifyBundle(options: VerifyOptions): Promise<Report> {
  return (await verifyRecords(options)).report;
}

/** The same, for who goes on to read the records. Memory does not grow with them. */
export async function verifyRecords(options: VerifyOptions): Promise<Verification> {
  const { expected, onProgress } = options;
  const source = watched(options.bundle instanceof Uint8Array ? bytesSource(options.bundle) : options.bundle);
  let progress: Progress = { read: 0, size: source.size, used: 0, bytes: source.size, checks: 0 };
  const proceed = (to: Partial<Progress>): void => {
    progress = { ...progress, ...to };
    onProgress?.(progress);
  };
  const checklist = new Checklist(() => proceed({ checks: progress.checks + 1 }));
  try {
    const read = await readIndex(source, checklist, (bytes) => proceed({ read: bytes }));
    if (read.damage !== null) return unanswered(checklist, null, read.damage);
    const { index } = read;
    checkQuestion(index.question, expected, checklist);
    const materials = new Materials(index, ({ length }) => proceed({ used: progress.used + length }));
    proceed({ bytes: index.members.reduce((sum, { length }) => sum + length, 0) });
    try {
      const verification = await verifyMembers(index.question, materials, options, checklist);
      return await holding(verification, options.holdRecords ?? defaultHeldRecords);
    } catch (error) {
      if (isReadFailure(error)) throw error;
      // Each check catches what it expects. Whatever else a crafted member sets off is an answer, too, and a bad one.
      const what = error instanceof Error ? error.message : String(error);
      checklist.bad("verification", "bundle", `something in it cannot be judged: ${what}`);
      return unanswered(checklist, index.question, null);
    }
  } catch (error) {
    throw error instanceof ReadFailure ? error.cause : error;
  }
}

/** What reading throws says nothing about the bundle, so it is kept apart from what checks throw. */
function watched(source: ByteSource): ByteSource {
  const read = async (offset: number, length: number) => {
    try {
      return await source.read(offset, length);
    } catch (cause) {
      throw new ReadFailure(cause);
    }
  };
  return { size: source.size, read };
}

/** The report with its first records. */
async function holding({ report, records }: Verification, most: number): Promise<Verification> {
  if (report.answer === null) return { report, records };
  const held: RecordAnswer[] = [];
  if (most > 0) {
    for await (const record of records.read(0)) {
      held.push(record);
      if (held.length >= most) break;
    }
  }
  return { report: { ...report, answer: { ...report.answer, records: held } }, records };
}

function unanswered(checklist: Checklist, question: Question | null, damage: Report["damage"]): Verification {
  const parts = { checklist, question, log: undefined, heads: undefined, answer: null, damage };
  return { report: report(parts), records: heldRecords([]) };
}

/** The recipe: the plane's log, the fleet, the heads, each ledger, the models. */
async function verifyMembers(
  question: Question,
  materials: Materials,
  { trust, keyless, now, requireFull = false }: VerifyOptions,
  checklist: Checklist,
): Promise<Verification> {
  await materials.loadShared();
  for (const { name } of trust.plane.log) await materials.load(name);
  const log = verifyPlaneLog(materials, trust, checklist);
  if (log !== undefined) checkFreshness(log, trust, now, checklist);
  const newest = log && (await newestHeads(log, materials, checklist));
  const fleet = newest && verifyFleet(newest.entry, log, materials, trust, checklist);
  const heads = fleet && verifyHeads(newest, question.kind !== "record", log, fleet, materials, checklist);
  const equivocated = fleet === undefined ? new Set<string>() : verifyContradictions(fleet, materials, checklist);
  const found =
    heads === undefined || log === undefined || fleet === undefined
      ? { answer: null, records: heldRecords([]) }
      : await answerTo(question, { requireFull, log, fleet, heads, trust, materials, checklist, equivocated, keyless });
  if (outcomeOf(checklist.checks) === "good") materials.checkUnused(checklist);
  else checklist.skipped("nothing unused", "bundle", "checks that were not made leave members unused");
  const { answer, records } = found;
  return { report: report({ checklist, question, log, heads, answer, damage: null }), records };
}

async function answerTo(
  question: Question,
  context: Context,
): Promise<{ readonly answer: Answer; readonly records: RecordPages }> {
  const scope = inScope(question, context.fleet);
  checkScope(question, scope, context.checklist);
  const found: LedgerResult[] = [];
  for (const enrolment of scope) {
    await context.materials.load(enrolment.origin);
    found.push(await answerLedger(question, enrolment, context));
    context.materials.release(enrolment.origin);
  }
  const parts = found.map(({ part }) => part).filter((part) => part !== undefined);
  const records = joinedRecords(parts.map(({ pages }) => pages));
  checkReceipt(question, records.count, context.checklist);
  const loads = found.flatMap((result) => result.loads);
  // Who made and approved a model is for the records' answer to prove: a summary only counts.
  const summary = question.kind === "summary" ? totalsOf(found.flatMap((result) => result.summary ?? [])) : null;
  const statements = question.kind === "summary" ? undefined : new Statements(context);
  const models = statements === undefined ? [] : verifyModels(parts, loads, question, statements, context);
  const erased = statements === undefined ? [] : await verifyErasures(records, scope, statements, context);
  const quarantines = statements === undefined ? [] : verifyQuarantines(scope, models, statements, context);
  if (statements !== undefined) verifyFleetDecisions(scope, statements, context);
  const summarised = parts.some((part) => part.summarised === true);
  if (summarised && context.requireFull) {
    context.checklist.missing("every entry", "bundle", "entries are left out, and a full answer was insisted on");
  }
  const bad = context.checklist.checks.some(({ result, required }) => result !== "good" && required);
  const answer: Answer = {
    complete: bad ? "incomplete" : summary !== null ? "summary" : summarised ? "summarised" : "full",
    reliesOn: summary !== null || summarised ? [reliesOnSummaries, reliesOnHeads] : [],
    ledgers: found.map((result) => result.answer),
    models,
    recordCount: records.count,
    records: [],
    erased,
    quarantines,
    refused: parts.flatMap((part) => part.refused),
    summary,
  };
  return { answer, records };
}

/** The ledgers that the question is about: all epochs of the devices named, or all ever admitted. */
function inScope(question: Question, fleet: Fleet): readonly Enrolment[] {
  const all = [...fleet.enrolments.values()];
  if (question.kind === "record") return all.filter(({ origin }) => origin === question.origin);
  if (question.devices === null) return all;
  const devices = new Set(question.devices);
  return all.filter(({ deviceId }) => devices.has(deviceId));
}

/** Of a device that nobody has admitted nothing is known, which is not the same as that it made no records. */
function checkScope(question: Question, scope: readonly Enrolment[], checklist: Checklist): void {
  if (question.kind === "record" || question.devices === null) return;
  const admitted = new Set(scope.map(({ deviceId }) => deviceId));
  for (const id of question.devices) {
    if (!admitted.has(id)) checklist.missing("device", id, "the fleet log has never admitted it");
  }
}

/** A receipt without its record has no check that is bad, and proves nothing. */
function checkReceipt(question: Question, records: number, checklist: Checklist): void {
  if (question.kind !== "record" || records === 1) return;
  const about = `${question.origin} #${question.index}`;
  checklist.missing("record", about, "no ledger in the bundle proves it");
}

type Read = { readonly index: BundleIndex; readonly damage: null } | { readonly damage: NonNullable<Report["damage"]> };

async function readIndex(source: ByteSource, checklist: Checklist, onRead: (bytes: number) => void): Promise<Read> {
  try {
    const index = await indexBundle(source, onRead);
    checklist.good("file", "bundle", `canonical and whole: ${index.members.length} members, ${source.size} bytes`);
    return { index, damage: null };
  } catch (error) {
    if (!(error instanceof BundleDamage)) throw error;
    checklist.bad("file", "bundle", error.message);
    return { damage: { where: error.where, offset: error.offset, what: error.message } };
  }
}

function checkQuestion(question: Question, expected: Question | undefined, checklist: Checklist): void {
  if (expected === undefined) {
    checklist.skipped("question", "bundle", `no question was given to compare with: ${describeQuestion(question)}`);
  } else if (sameQuestion(question, expected)) {
    checklist.good("question", "bundle", "it is the question that was asked");
  } else {
    checklist.bad("question", "bundle", `it answers another question: ${describeQuestion(question)}`);
  }
}

function report(parts: {
  checklist: Checklist;
  question: Question | null;
  log: PlaneLog | undefined;
  heads: Heads | undefined;
  answer: Answer | null;
  damage: Report["damage"];
}): Report {
  const { checks } = parts.checklist;
  return {
    outcome: outcomeOf(checks),
    question: parts.question,
    asOf: parts.heads?.notAfter ?? null,
    timeLabel: parts.log?.newest.label ?? null,
    checks,
    answer: parts.answer,
    damage: parts.damage,
  };
}
