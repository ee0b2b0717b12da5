import type { Question, SummaryQuestion } from "../bundle/index.ts";
import type { Checklist } from "./check.ts";
import type { Context } from "./context.ts";
import { verifyEarlierHead, verifyHead } from "./device-head.ts";
import { type DeviceLedger, verifyLedger } from "./device-ledger.ts";
import type { Enrolment } from "./fleet-entries.ts";
import { checkDelivered } from "./interval.ts";
import { findReceipt } from "./receipt.ts";
import { findRecords, type LedgerRecords } from "./records.ts";
import type { LedgerAnswer } from "./report.ts";
import { type LedgerSummary, summariseLedger } from "./summary.ts";
import { type Timeline, timelineOf } from "./time-bracket.ts";

/** What came of one ledger: its line in the answer, and what the checks of models go on with. */
export interface LedgerResult {
  readonly answer: LedgerAnswer;
  readonly ledger?: DeviceLedger;
  readonly part?: LedgerRecords;
  readonly summary?: LedgerSummary;
}

/** Follows one ledger of the question: head, entries, times, records. */
export function answerLedger(question: Question, enrolment: Enrolment, context: Context): LedgerResult {
  const { heads, materials, checklist } = context;
  const head = heads.current.get(enrolment.origin);
  if (head === undefined) {
    checklist.missing("device head", enrolment.origin, "the bundle does not prove its newest head");
    return { answer: emptyAnswer(enrolment, context) };
  }
  if (head.leaf.pendingNoteHash === null) {
    checklist.good("device head", enrolment.origin, "nothing has arrived from it");
    return { answer: emptyAnswer(enrolment, context) };
  }
  if (!verifyHead(head, enrolment, materials, checklist)) return { answer: emptyAnswer(enrolment, context) };
  if (head.leaf.mirroredSize === 0) {
    if (question.kind !== "record") checkDelivered(question, head, checklist);
    return { answer: emptyAnswer(enrolment, context) };
  }
  const history = heads
    .history(enrolment.origin)
    .filter((earlier) => earlier === head || verifyEarlierHead(earlier, head, enrolment, materials, checklist));
  const ledger = verifyLedger(head, enrolment, materials, checklist);
  if (ledger === undefined) return { answer: emptyAnswer(enrolment, context) };
  const timeline = timelineOf(ledger, history, context.log, context.trust.skewSeconds * 1000, checklist);
  if (question.kind === "summary") {
    const summary = summariseLedger(question, ledger, timeline, checklist);
    const answer = ledgerAnswer(question, ledger, timeline, undefined, context);
    return summary === undefined ? { answer, ledger } : { answer: countedAnswer(answer, summary), ledger, summary };
  }
  const part = find(question, ledger, timeline, checklist);
  return { answer: ledgerAnswer(question, ledger, timeline, part, context), ledger, ...(part && { part }) };
}

/** A ledger's line where counts stand for records: what is not certain is possible. */
function countedAnswer(answer: LedgerAnswer, summary: LedgerSummary): LedgerAnswer {
  const { atLeast: inside, atMost, keyRevoked, gaps } = summary;
  return { ...answer, inside, possiblyInside: atMost - inside - keyRevoked, keyRevoked, gaps };
}

function find(
  question: Exclude<Question, SummaryQuestion>,
  ledger: DeviceLedger,
  timeline: Timeline,
  checklist: Checklist,
): LedgerRecords | undefined {
  return question.kind === "records"
    ? findRecords(question, ledger, timeline, checklist)
    : findReceipt(question, ledger, timeline, checklist);
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
  const count = (standing: string) => part?.records.filter((record) => record.standing === standing).length ?? 0;
  const to = question.kind === "record" ? 0 : question.to;
  return {
    origin,
    deviceId,
    inside: count("inside"),
    possiblyInside: count("possibly inside"),
    keyRevoked: count("key revoked"),
    coveredUntil,
    covered: coveredUntil !== null && coveredUntil >= to,
    gaps: part?.gaps.length ?? 0,
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
