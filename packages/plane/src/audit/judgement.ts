import { type Bundle, type Member, type Report, verifyBundle, writeBundle } from "@tally/evidence";
import { answer } from "./answer.ts";
import type { AnswerWorld } from "./answer-world.ts";

// For tests of answers: what a report says, in few words, and bundles that were tampered with.

/** Names of the required checks that did not hold, without repetition. */
export function failed(report: Report): string[] {
  return [...new Set(report.checks.filter((c) => c.result !== "good" && c.required).map((c) => c.name))];
}

/** Those checks with their reasons. */
export function explain(report: Report): string {
  return report.checks
    .filter(({ result, required }) => result !== "good" && required)
    .map(({ name, about, reason }) => `${name} (${about}): ${reason}`)
    .join("\n");
}

/** The bundle again, with its list and trailer repaired, after something was done to its members. */
export function repaired(
  { question, members }: Bundle,
  change: (members: readonly Member[]) => readonly Member[],
): Uint8Array {
  return writeBundle(question, change(members));
}

/** Everything that the world's plane answers, judged by its trust file. */
export async function judge(world: AnswerWorld): Promise<Report> {
  const bundle = await answer(world, {
    kind: "records",
    model: null,
    from: Date.UTC(2025, 11),
    to: Date.UTC(2027, 0),
    devices: null,
  });
  return await verifyBundle({ bundle, trust: world.trust });
}

/** What the world's plane answers about one record. */
export async function judgeRecord(world: AnswerWorld, origin: string, index: number): Promise<Report> {
  return await verifyBundle({ bundle: await answer(world, { kind: "record", origin, index }), trust: world.trust });
}
