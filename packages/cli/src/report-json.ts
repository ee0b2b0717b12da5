import { type Report, toHex } from "@tally/evidence";
import { loadReason } from "./load-reason.ts";

/** A report without bytes that JSON has no form for: a record's entry stays in the bundle. */
export function reportAsJson(report: Report): unknown {
  const { answer } = report;
  if (answer === null) return report;
  return {
    ...report,
    answer: {
      ...answer,
      records: answer.records.map(({ entry: _, leaf, ...record }) => ({ ...record, leaf: toHex(leaf) })),
      refused: answer.refused.map(({ origin, index, load }) => ({
        origin,
        index,
        model: load.manifest,
        reason: loadReason(load.reason),
      })),
    },
  };
}
