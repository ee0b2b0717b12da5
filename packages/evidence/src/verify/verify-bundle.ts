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
import { verifyErasures } from "./erasures.ts";
import { verifyFleet } from "./fleet.ts";
import type { Enrolment, Fleet } from "./fleet-entries.ts";
import { checkFreshness } from "./freshness.ts";
import { type Heads, newestHeads, verifyHeads } from "./heads.ts";
import { answerLedger } from "./ledger-answer.ts";
import { Materials } from "./materials.ts";
import { verifyModels } from "./models.ts";
import { type PlaneLog, verifyPlaneLog } from "./plane-log.ts";
import { Statements } from "./proven-statements.ts";
import { type Answer, outcomeOf, type Report } from "./report.ts";
import { totalsOf } from "./summary-answer.ts";

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
  try {
    return verifyMembers(question, materials, trust, now, checklist);
  } catch (error) {
    // Each check catches what it expects. Whatever else a crafted member sets off is an answer, too, and a bad one.
    const what = error instanceof Error ? error.message : String(error);
    checklist.bad("verification", "bundle", `something in it cannot be judged: ${what}`);
    return report({ checklist, question, log: undefined, heads: undefined, answer: null, damage: null });
  }
}

/** The recipe: the plane's log, the fleet, the heads, each ledger, the models. */
function verifyMembers(
  question: Question,
  materials: Materials,
  trust: Trust,
  now: number | undefined,
  checklist: Checklist,
): Report {
  const log = verifyPlaneLog(materials, trust, checklist);
  if (log !== undefined) checkFreshness(log, trust, now, checklist);
  const newest = log && newestHeads(log, materials, checklist);
  const fleet = newest && verifyFleet(newest.entry, log, materials, trust, checklist);
  const heads = fleet && verifyHeads(newest, question.kind !== "record", log, fleet, materials, checklist);
  const equivocated = fleet === undefined ? new Set<string>() : verifyContradictions(fleet, materials, checklist);
  const answer =
    heads === undefined || log === undefined || fleet === undefined
      ? null
      : answerTo(question, { log, fleet, heads, trust, materials, checklist, equivocated });
  if (outcomeOf(checklist.checks) === "good") materials.checkUnused(checklist);
  else checklist.skipped("nothing unused", "bundle", "checks that were not made leave members unused");
  return report({ checklist, question, log, heads, answer, damage: null });
}

function answerTo(question: Question, context: Context): Answer {
  const scope = inScope(question, context.fleet);
  checkScope(question, scope, context.checklist);
  const found = scope.map((enrolment) => answerLedger(question, enrolment, context));
  const parts = found.map(({ part }) => part).filter((part) => part !== undefined);
  const records = parts.flatMap((part) => part.records);
  checkReceipt(question, records.length, context.checklist);
  const ledgers = found.flatMap(({ ledger }) => ledger ?? []);
  // Who made and approved a model is for the records' answer to prove: a summary only counts.
  const summary = question.kind === "summary" ? totalsOf(found.flatMap((result) => result.summary ?? [])) : null;
  const statements = question.kind === "summary" ? undefined : new Statements(context);
  const models = statements === undefined ? [] : verifyModels(records, ledgers, question, statements, context);
  const erased = statements === undefined ? [] : verifyErasures(records, scope, statements, context);
  const bad = context.checklist.checks.some(({ result, required }) => result !== "good" && required);
  return {
    complete: bad ? "incomplete" : summary === null ? "full" : "summary",
    ledgers: found.map(({ answer }) => answer),
    models,
    records,
    erased,
    refused: parts.flatMap((part) => part.refused),
    summary,
  };
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
