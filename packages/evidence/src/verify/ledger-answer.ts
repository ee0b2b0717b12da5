import { memberTypes, type Question, type SummaryQuestion } from "../bundle/index.ts";
import type { Load } from "../entries/index.ts";
import type { Context } from "./context.ts";
import { verifyEarlierHead, verifyHead } from "./device-head.ts";
import { type DeviceLedger, verifyLedger } from "./device-ledger.ts";
import type { Enrolment } from "./fleet-entries.ts";
import { checkDelivered, intervalStart, type RecordStanding } from "./interval.ts";
import type { WalkPlan } from "./ledger-walk.ts";
import { checkPredecessor } from "./predecessor.ts";
import { findReceipt } from "./receipt.ts";
import { findRecords, type LedgerRecords } from "./records.ts";
import type { LedgerAnswer } from "./report.ts";
import { findSummarised } from "./summarised.ts";
import { type LedgerSummary, summariseLedger } from "./summary.ts";
import { type TimedHead, type Timeline, timedHeads, timelineOf } from "./time-bracket.ts";

/** What came of one ledger: its line in the answer, and what the checks of models go on with. */
export interface LedgerResult {
  readonly answer: LedgerAnswer;
  /** Accepted loads that the bundle proves. */
  readonly loads: readonly Load[];
  readonly part?: LedgerRecords;
  readonly summary?: LedgerSummary;
}

/** Follows one ledger of the question: head, entries, times, records. */
export async function answerLedger(question: Question, enrolment: Enrolment, context: Context): Promise<LedgerResult> {
  const { heads, materials, checklist } = context;
  const head = heads.current.get(enrolment.origin);
  if (head === undefined) {
    checklist.missing("device head", enrolment.origin, "the bundle does not prove its newest head");
    return nothing(enrolment, context);
  }
  if (head.leaf.pendingNoteHash === null) {
    checklist.good("device head", enrolment.origin, "nothing has arrived from it");
    return nothing(enrolment, context);
  }
  if (!verifyHead(head, enrolment, materials, checklist, context.trust)) return nothing(enrolment, context);
  if (head.leaf.mirroredSize === 0) {
    if (question.kind !== "record") checkDelivered(question, head, checklist);
    return nothing(enrolment, context);
  }
  const history = heads
    .history(enrolment.origin)
    .filter((earlier) => earlier === head || verifyEarlierHead(earlier, head, enrolment, materials, checklist));
  const times = timedHeads(history);
  const plan = planOf(question, times);
  const ledger = await verifyLedger(head, enrolment, plan, materials, checklist);
  if (ledger === undefined) return nothing(enrolment, context);
  await checkPredecessor(ledger, context);
  const timeline = timelineOf(ledger, times, context.log, context.trust.skewSeconds * 1000, checklist);
  const loads = acceptedLoads(ledger);
  if (question.kind === "summary") {
    const summary = summariseLedger(question, ledger, timeline, checklist);
    const answer = ledgerAnswer(question, ledger, timeline, undefined, context);
    return summary === undefined ? { answer, loads } : { answer: countedAnswer(answer, summary), loads, summary };
  }
  const part = await find(question, ledger, timeline, context);
  return { answer: ledgerAnswer(question, ledger, timeline, part, context), loads, ...(part && { part }) };
}

function nothing(enrolment: Enrolment, context: Context): LedgerResult {
  return { answer: emptyAnswer(enrolment, context), loads: [] };
}

/** What a walk through the ledger needs before the anchors in it are known. */
function planOf(question: Question, heads: readonly TimedHead[]): WalkPlan {
  const sizes = heads.map(({ size }) => size);
  if (question.kind === "record") return { start: 0, sizes, record: question.index, keepFrom: question.index };
  const start = intervalStart(question, { heads });
  return { start, sizes, ...(question.kind === "summary" && { keepFrom: 0 }) };
}

function acceptedLoads({ entries }: DeviceLedger): readonly Load[] {
  const loads: Load[] = [];
  for (const { entry } of entries.values())
    if (entry.kind === "load" && entry.outcome === "accepted") loads.push(entry);
  return loads;
}

/** A ledger's line where counts stand for records: what is not certain is possible. */
function countedAnswer(answer: LedgerAnswer, summary: LedgerSummary): LedgerAnswer {
  const { atLeast: inside, atMost, keyRevoked, gaps } = summary;
  return { ...answer, inside, possiblyInside: atMost - inside - keyRevoked, keyRevoked, gaps };
}

async function find(
  question: Exclude<Question, SummaryQuestion>,
  ledger: DeviceLedger,
  timeline: Timeline,
  { materials, checklist }: Context,
): Promise<LedgerRecords | undefined> {
  if (question.kind === "record") return findReceipt(question, ledger, timeline, checklist);
  const leftOut = ledger.to === 0 && materials.of(memberTypes.rangeProof, ledger.enrolment.origin).length === 0;
  const findIn = leftOut ? findSummarised : findRecords;
  return findIn(question, ledger, timeline, materials, checklist);
}

function ledgerAnswer(
  question: Question,
  ledger: DeviceLedger,
  timeline: Timeline,
  part: LedgerRecords | undefined,
  context: Context,
): LedgerAnswer {
  const { origin, deviceId } = ledger.enrolment;
  const coveredUntil = timeline.anchors.reduce<number | null>(
    (last, { notBefore }) => (last === null || notBefore > last ? notBefore : last),
    null,
  );
  const count = (standing: RecordStanding) =>
    part?.counts.reduce((sum, counted) => sum + (counted.standing === standing ? counted.count : 0), 0) ?? 0;
  const to = question.kind === "record" ? 0 : question.to;
  return {
    origin,
    deviceId,
    inside: count("inside"),
    possiblyInside: count("possibly inside"),
    keyRevoked: count("key revoked"),
    coveredUntil,
    covered: coveredUntil !== null && coveredUntil >= to,
    gaps: part?.gaps ?? 0,
    standing: standingOf(ledger.enrolment, context),
  };
}

function emptyAnswer(enrolment: Enrolment, context: Context): LedgerAnswer {
  const { origin, deviceId } = enrolment;
  const standing = standingOf(enrolment, context);
  return {
    origin,
    deviceId,
    inside: 0,
    possiblyInside: 0,
    keyRevoked: 0,
    coveredUntil: null,
    covered: false,
    gaps: 0,
    standing: standing === "in good standing" ? "nothing arrived" : standing,
  };
}

function standingOf(enrolment: Enrolment, { equivocated }: Context): LedgerAnswer["standing"] {
  if (equivocated.has(enrolment.origin)) return "equivocated";
  if (enrolment.revoked !== undefined) return "keys revoked";
  return enrolment.decommissioned ? "decommissioned" : "in good standing";
}
