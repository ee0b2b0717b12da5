import { type RecordAnswer, type RecordPages, type Report, toHex } from "@tally/evidence";
import { loadReason } from "./load-reason.ts";

/** A report without bytes that JSON has no form for: a record's entry stays in the bundle. */
export function reportAsJson(report: Report): unknown {
  const { answer } = report;
  if (answer === null) return report;
  return {
    ...report,
    answer: {
      ...answer,
      records: answer.records.map(recordAsJson),
      refused: answer.refused.map(({ origin, index, load }) => ({
        origin,
        index,
        model: load.manifest,
        reason: loadReason(load.reason),
      })),
    },
  };
}

function recordAsJson({ entry: _, leaf, ...record }: RecordAnswer): unknown {
  return { ...record, leaf: toHex(leaf) };
}

/** The same text as `JSON.stringify(reportAsJson(report), null, 2)` with all records, in pieces: there may be millions. */
export async function* reportJsonText(report: Report, records: RecordPages): AsyncGenerator<string> {
  if (report.answer === null || records.count === 0) {
    yield `${JSON.stringify(reportAsJson(report), null, 2)}\n`;
    return;
  }
  const without = JSON.stringify(reportAsJson({ ...report, answer: { ...report.answer, records: [] } }), null, 2);
  const place = '\n    "records": [';
  const at = without.indexOf(place) + place.length;
  yield without.slice(0, at);
  let separator = "";
  for await (const record of records.read(0)) {
    const text = JSON.stringify(recordAsJson(record), null, 2).replaceAll("\n", "\n      ");
    yield `${separator}\n      ${text}`;
    separator = ",";
  }
  yield `\n    ${without.slice(at)}\n`;
}
