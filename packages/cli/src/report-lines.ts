import {
  type Check,
  describeQuarantined,
  describeQuestion,
  type ErasedAnswer,
  type LedgerAnswer,
  type ModelAnswer,
  type QuarantineAnswer,
  quarantinesOf,
  type RecordAnswer,
  type RecordPages,
  type Report,
} from "@tally/evidence";
import { loadReason } from "./load-reason.ts";
import { summaryLines } from "./summary-lines.ts";
import { counted, marks, table } from "./terminal/index.ts";

/** A report as a person reads it: the question, the answer, the checks with their reasons, and what it all comes to. */
export function reportLines(report: Report): readonly string[] {
  return [...answerLines(report), "", ...checkLines(report)];
}

/** The same, with every record of the answer before the checks, in pieces: there may be millions. */
export async function* reportTextWithRecords(report: Report, records: RecordPages): AsyncGenerator<string> {
  yield* answerLines(report);
  const { answer } = report;
  if (answer !== null && answer.summary === null) {
    yield* ["", "records"];
    let page: string[][] = [];
    for await (const record of records.read(0)) {
      page.push(recordRow(record, quarantinesOf(record, answer)));
      if (page.length < recordsAligned) continue;
      yield* table(page).map(indent);
      page = [];
    }
    yield* table(page).map(indent);
  }
  yield* ["", ...checkLines(report)];
}

/** Records whose columns are as wide as the widest among them. */
const recordsAligned = 1000;

function answerLines(report: Report): readonly string[] {
  const lines: string[] = [...headLines(report)];
  if (report.answer !== null && report.answer.summary !== null) {
    lines.push("", ...summaryLines(report.answer.summary, report.answer.ledgers));
  } else if (report.answer !== null) {
    lines.push("", "models", ...report.answer.models.flatMap(modelLines).map(indent));
    lines.push("", "devices", ...table(report.answer.ledgers.map(ledgerRow)).map(indent));
    if (report.answer.refused.length > 0) {
      lines.push("", "refused loads");
      for (const { origin, index, load } of report.answer.refused) {
        lines.push(indent(`${origin} #${index}: ${load.manifest ?? "no manifest"}, ${loadReason(load.reason)}`));
      }
    }
    if (report.answer.erased.length > 0) {
      lines.push("", "contents erased", ...table(report.answer.erased.map(erasedRow)).map(indent));
    }
    if (report.answer.quarantines.length > 0) {
      lines.push("", "quarantine", ...report.answer.quarantines.flatMap(quarantineLines).map(indent));
    }
  }
  const relied = report.answer?.reliesOn ?? [];
  if (relied.length > 0) lines.push("", ...reliedLines(relied));
  return lines;
}

/** The question, and as of when it is answered. */
export function headLines({ question, asOf, timeLabel }: Report): readonly string[] {
  return [
    ...(question === null ? [] : [`question  ${describeQuestion(question)}`]),
    ...(asOf === null ? [] : [`as of     ${new Date(asOf).toISOString()} (${timeLabel})`]),
  ];
}

/** What an answer that is not full rests on without proof. */
export function reliedLines(reliesOn: readonly string[]): readonly string[] {
  return reliesOn.map((line) => `relies on: ${line}`);
}

/** Every check with its reason, and what it all comes to. */
export function checkLines(report: Pick<Report, "checks" | "outcome" | "damage">): readonly string[] {
  return ["checks", ...table(summarise(report.checks)).map(indent), "", outcomeLine(report)];
}

function modelLines(model: ModelAnswer): string[] {
  const released = inOrder(model.releases)
    .map(({ channel, sequence }) => `${channel} #${sequence}`)
    .join(", ");
  const data = model.origin.data.map(({ name, source }) => `${name} (${source ?? "no signed source"})`).join(", ");
  return [
    [model.manifest, ...(model.repository === null ? [] : [model.repository])].join("  "),
    `  ${counted(model.inside, "record")} proven inside, ${model.possiblyInside} possibly inside, on ${counted(model.devices, "device")}`,
    `  signed by ${list(model.signedBy)}, approved by ${list(model.approvedBy)}, released as ${released || "nothing proven"}`,
    model.origin.trainedBy.length === 0 && data === ""
      ? "  how it was trained nobody of the trust file has stated"
      : `  trained by ${list(model.origin.trainedBy)} from ${data || "nothing stated"}`,
  ];
}

/** By channel, then by sequence: a bundle has them in the order of their digests. */
export function inOrder<T extends { readonly channel: string; readonly sequence: number }>(
  releases: readonly T[],
): readonly T[] {
  return releases.toSorted((a, b) =>
    a.channel === b.channel ? a.sequence - b.sequence : a.channel < b.channel ? -1 : 1,
  );
}

function ledgerRow(ledger: LedgerAnswer): string[] {
  const until =
    ledger.coveredUntil === null
      ? "nothing delivered"
      : `delivered up to ${new Date(ledger.coveredUntil).toISOString()}`;
  return [
    ledger.origin,
    ledger.standing,
    `${ledger.inside} inside`,
    `${ledger.possiblyInside} possibly`,
    ledger.keyRevoked > 0 ? `${ledger.keyRevoked} under a revoked key` : "",
    ledger.gaps > 0 ? `${ledger.gaps} gaps` : "",
    ledger.covered ? "interval covered" : until,
  ];
}

function recordRow(record: RecordAnswer, quarantines: readonly QuarantineAnswer[]): string[] {
  const time = (ms: number | null) => (ms === null ? "?" : new Date(ms).toISOString());
  return [
    `${record.origin} #${record.index}`,
    record.model ?? "no manifest",
    record.grade,
    record.standing,
    `${time(record.bracket.notBefore)} to ${time(record.bracket.notAfter)}`,
    ...(quarantines.length === 0 ? [] : ["under quarantine"]),
  ];
}

function erasedRow({ origin, index, statement }: ErasedAnswer): string[] {
  return [`${origin} #${index}`, `as the device states in ${statement}`];
}

/** What is kept out of use, or was: it takes nothing from a proof. */
export function quarantineLines(found: QuarantineAnswer): readonly string[] {
  const { statement, what, by, reason, repositories, lifted } = found;
  const whole = `${describeQuarantined(what)}, by ${by.join(", ")}: ${reason}`;
  if (lifted !== null) return [`${whole} (${statement})`, `  lifted by ${lifted.by.join(", ")}: ${lifted.reason}`];
  return [`${whole} (${statement})`, `  stands for ${repositories.join(", ")}`];
}

/** Checks that came out alike for several things are one line; whatever is not good stands alone. */
function summarise(checks: readonly Check[]): string[][] {
  const rows = new Map<string, { check: Check; count: number }>();
  for (const check of checks) {
    const key = check.result === "good" ? check.name : `${check.name} ${check.about} ${check.reason}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { check, count: 1 });
    else row.count += 1;
  }
  return [...rows.values()].map(({ check, count }) => [
    marks[check.result],
    check.name,
    `${count === 1 ? "" : `${count} times, such as `}${check.about === "" ? "" : `${check.about}: `}${check.reason}`,
  ]);
}

function outcomeLine({ outcome, damage }: Pick<Report, "outcome" | "damage">): string {
  if (damage !== null) return `NOT VALID: ${damage.what}`;
  if (outcome === "good") return "good: every required check held";
  if (outcome === "bad") return "BAD: a required check failed, or someone signed two histories";
  return "not proven: nothing failed, and something required is missing";
}

const indent = (line: string) => `  ${line}`;
const list = (names: readonly string[]) => (names.length === 0 ? "nobody proven" : names.join(", "));
