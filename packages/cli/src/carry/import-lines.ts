import type { CarrierCheck } from "@tally/oci";
import { reportAsJson } from "../report-json.ts";
import { reportLines } from "../report-lines.ts";
import { counted, type ExitCode, exitCodes, marks, table } from "../terminal/index.ts";
import type { CarryCheck } from "./carry-check.ts";
import type { CheckedInventory } from "./check-inventory.ts";
import type { TakenDelivery } from "./deliveries.ts";
import type { TakenModel } from "./take-in.ts";
import type { CarriedModel } from "./verify-model.ts";

/** What was found of a layout that somebody carried. */
export interface ImportReport {
  readonly layout: readonly CarrierCheck[];
  /** Undefined where the layout could not be read. */
  readonly inventory: CheckedInventory | undefined;
  readonly models: readonly CarriedModel[];
}

/** Good, verification failed, or not proven: as `tally verify` ends. */
export function outcomeOf({ layout, inventory, models }: ImportReport): ExitCode {
  const checks = [...(inventory?.checks ?? []), ...models.flatMap((model) => model.checks)];
  const reports = models.flatMap(({ evidence }) => evidence.map(({ report }) => report.outcome));
  const bad = [...layout, ...checks].some(({ result }) => result === "bad") || reports.includes("bad");
  if (bad) return exitCodes.verificationFailed;
  const missing = checks.some(({ result, required }) => result === "not made" && required);
  return missing || models.length === 0 || reports.includes("not proven") ? exitCodes.notProven : exitCodes.good;
}

/** Everything that was looked at, and what came of it. */
export function reportLinesOf(report: ImportReport): readonly string[] {
  const lines = ["layout", ...rowsOf([...report.layout, ...(report.inventory?.checks ?? [])])];
  for (const { manifest, repository, tags, checks, evidence } of report.models) {
    lines.push("", ["model", `${manifest}`, ...namesOf(repository, tags)].join("  "), ...rowsOf(checks));
    for (const { report: answer } of evidence) {
      lines.push("  evidence", ...reportLines(answer).map((line) => (line === "" ? "" : `    ${line}`)));
    }
  }
  return [...lines, "", outcomeLines[outcomeOf(report) as keyof typeof outcomeLines]];
}

const outcomeLines = {
  [exitCodes.good]: "good: every required check held",
  [exitCodes.verificationFailed]: "BAD: this is not what was sent, or not what it says it is",
  [exitCodes.notProven]: "not proven: nothing failed, and something required is missing",
};

function rowsOf(checks: readonly (CarrierCheck | CarryCheck)[]): readonly string[] {
  return table(checks.map(({ result, name, about, reason }) => [marks[result], name, `${about}: ${reason}`])).map(
    (line) => `  ${line}`,
  );
}

function namesOf(repository: string | null, tags: readonly string[]): readonly string[] {
  const names = tags.map((tag) => (repository === null ? tag : `${repository}:${tag}`));
  return names.length > 0 ? names : repository === null ? [] : [repository];
}

/** What became of what was taken in. */
export function takenLines(taken: readonly TakenModel[]): readonly string[] {
  return taken.flatMap(({ manifest, repository, tags, bases, sent, statements }) => [
    [manifest, ...namesOf(repository, tags), counted(sent, "new blob")].join("  "),
    ...bases.map(({ name, manifest: base, result }) => `  base  ${base}  ${name}: ${result}`),
    ...table(
      statements.map(({ digest, predicateType, result, index, reason }) => [
        result,
        digest,
        predicateType,
        index === undefined ? (reason ?? "") : `entry ${index}`,
      ]),
    ).map((line) => `  ${line}`),
  ]);
}

export function reportJsonOf(
  report: ImportReport,
  taken: readonly TakenModel[] | null,
  delivery: TakenDelivery | null,
): unknown {
  const outcomes = {
    [exitCodes.good]: "good",
    [exitCodes.verificationFailed]: "bad",
    [exitCodes.notProven]: "not proven",
  };
  return {
    outcome: outcomes[outcomeOf(report) as keyof typeof outcomes],
    layout: report.layout,
    inventory: report.inventory && {
      statement: report.inventory.digest ?? null,
      delivery: report.inventory.inventory?.delivery ?? null,
      checks: report.inventory.checks,
    },
    models: report.models.map(({ evidence, ...model }) => ({
      ...model,
      evidence: evidence.map((each) => reportAsJson(each.report)),
    })),
    taken,
    delivery,
  };
}
