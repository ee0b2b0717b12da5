import {
  BundleDamage,
  type BundleMember,
  describeQuestion,
  type Question,
  readBundle,
  sameQuestion,
} from "../bundle/index.ts";
import type { Trust } from "../trust/index.ts";
import { Checklist } from "./check.ts";
import type { Context } from "./context.ts";
import { verifyContradictions } from "./contradictions.ts";
import { type DeviceLedger, verifyEarlierHead, verifyHead, verifyLedger } from "./device-ledger.ts";
import { type Enrolment, type Fleet, verifyFleet } from "./fleet.ts";
import { type Heads, newestHeads, verifyHeads } from "./heads.ts";
import { Materials } from "./materials.ts";
import { verifyModels } from "./models.ts";
import { type PlaneLog, verifyPlaneLog } from "./plane-log.ts";
import { findReceipt } from "./receipt.ts";
import { findRecords, type LedgerRecords } from "./records.ts";
import { type Answer, type LedgerAnswer, outcomeOf, type Report } from "./report.ts";
import { type Timeline, timelineOf } from "./time-bracket.ts";

export interface VerifyOptions {
  /** The bundle, whole. */
  readonly bundle: Uint8Array;
  /** All trust there is: nothing in the bundle vouches for itself. */
  readonly trust: Trust;
  /** The question that the caller meant; a bundle that answers another one fails. */
  readonly expected?: Question;
  /** Milliseconds since 1970, for the trust file's maximum age. Left out, age is not checked. */
  readonly now?: number;
  /** Called on the way, many times; what it does must not take long. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How far a verification has come. Both counts only grow; all bytes are used before the last checks are made. */
export interface Progress {
  /** Bytes of the bundle's members that checks have used so far. */
  readonly used: number;
  /** Bytes of all members. */
  readonly bytes: number;
  readonly checks: number;
}

/**
 * Verifies an evidence bundle and recomputes its answer (evidence.md 9 and 10). Follows the chain: trust file → cosigned
 * plane and fleet checkpoints → enrolment → device keys → device checkpoint → entries → loads → statements. Never throws
 * for what is wrong with a bundle: it is in the report, each check with its reason.
 */
export function verifyBundle({ bundle: bytes, trust, expected, now, onProgress }: VerifyOptions): Report {
  let progress: Progress = { used: 0, bytes: bytes.length, checks: 0 };
  const proceed = (to: Partial<Progress>): void => {
    progress = { ...progress, ...to };
    onProgress?.(progress);
  };
  const checklist = new Checklist(() => proceed({ checks: progress.checks + 1 }));
  const bundle = read(bytes, checklist);
  if (bundle.damage !== null) {
    return report({ checklist, question: null, log: undefined, heads: undefined, answer: null, damage: bundle.damage });
  }
  const { question, members } = bundle;
  checkQuestion(question, expected, checklist);
  const materials = new Materials({ question, members }, (member) =>
    proceed({ used: progress.used + member.bytes.length }),
  );
  proceed({ bytes: members.reduce((sum, member) => sum + member.bytes.length, 0) });

  const log = verifyPlaneLog(materials, trust, checklist);
  if (log !== undefined) checkFreshness(log, trust, now, checklist);
  const newest = log && newestHeads(log, materials, checklist);
  const fleet = newest && verifyFleet(newest.entry, materials, trust, checklist);
  const heads = fleet && verifyHeads(newest, question.kind === "records", log, fleet, materials, checklist);
  const equivocated = fleet === undefined ? new Set<string>() : verifyContradictions(fleet, materials, checklist);
  const answer =
    heads === undefined || log === undefined || fleet === undefined
      ? null
      : answerTo(question, { log, fleet, heads, trust, materials, checklist, equivocated });
  if (answer !== null) materials.checkUnused(checklist);
  return report({ checklist, question, log, heads, answer, damage: null });
}

function answerTo(question: Question, context: Context): Answer {
  const found = inScope(question, context.fleet).map((enrolment) => answerLedger(question, enrolment, context));
  const parts = found.map(({ part }) => part).filter((part) => part !== undefined);
  const records = parts.flatMap((part) => part.records);
  const models = verifyModels(
    records,
    found.flatMap(({ ledger }) => ledger ?? []),
    question,
    context,
  );
  const bad = context.checklist.checks.some(({ result, required }) => result !== "good" && required);
  return {
    complete: bad ? "incomplete" : "full",
    ledgers: found.map(({ answer }) => answer),
    models,
    records,
    refused: parts.flatMap((part) => part.refused),
  };
}

/** The ledgers that the question is about: all epochs of the devices named, or all ever admitted. */
function inScope(question: Question, fleet: Fleet): readonly Enrolment[] {
  const all = [...fleet.enrolments.values()];
  if (question.kind === "record") return all.filter(({ origin }) => origin === question.origin);
  return question.devices === null ? all : all.filter(({ deviceId }) => question.devices!.includes(deviceId));
}

interface LedgerResult {
  readonly answer: LedgerAnswer;
  readonly ledger?: DeviceLedger;
  readonly part?: LedgerRecords;
}

function answerLedger(question: Question, enrolment: Enrolment, context: Context): LedgerResult {
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
  if (head.leaf.mirroredSize === 0) return { answer: emptyAnswer(enrolment, context) };
  const history = heads
    .history(enrolment.origin)
    .filter((earlier) => earlier === head || verifyEarlierHead(earlier, head, materials, checklist));
  const ledger = verifyLedger(head, enrolment, materials, checklist);
  if (ledger === undefined) return { answer: emptyAnswer(enrolment, context) };
  const timeline = timelineOf(ledger, history, context.log, context.trust.skewSeconds * 1000, checklist);
  const part = find(question, ledger, timeline, checklist);
  return { answer: ledgerAnswer(question, ledger, timeline, part, context), ledger, ...(part && { part }) };
}

function find(
  question: Question,
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
  const to = question.kind === "records" ? question.to : 0;
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

type Read =
  | { readonly question: Question; readonly members: readonly BundleMember[]; readonly damage: null }
  | { readonly damage: NonNullable<Report["damage"]> };

function read(bytes: Uint8Array, checklist: Checklist): Read {
  try {
    const { question, members } = readBundle(bytes);
    checklist.good("file", "bundle", `canonical and whole: ${members.length} members, ${bytes.length} bytes`);
    return { question, members, damage: null };
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

function checkFreshness(log: PlaneLog, trust: Trust, now: number | undefined, checklist: Checklist): void {
  const { checkpoint, notBefore } = log.newest;
  const about = checkpoint.origin;
  if (trust.minimumPlaneSize !== undefined) {
    if (checkpoint.size >= trust.minimumPlaneSize) {
      checklist.good("minimum size", about, `size ${checkpoint.size}, at least ${trust.minimumPlaneSize}`);
    } else
      checklist.bad("minimum size", about, `size ${checkpoint.size} is below ${trust.minimumPlaneSize}: an old state`);
  }
  if (trust.maximumAgeSeconds === undefined) return;
  if (now === undefined || notBefore === null) {
    checklist.skipped("age", about, "no time was given to compare with");
    return;
  }
  const age = Math.round((now - notBefore) / 1000);
  if (age <= trust.maximumAgeSeconds) checklist.good("age", about, `${age} s old`);
  else checklist.bad("age", about, `${age} s old, the trust file allows ${trust.maximumAgeSeconds} s: a stale answer`);
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
