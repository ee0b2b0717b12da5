import type { ModelAnswer, RecordAnswer, Report } from "@tally/evidence";
import { checkLines, inOrder, quarantineLines } from "../../report-lines.ts";
import { table } from "../../terminal/index.ts";

/** A record's chain, from the output back to the data, and then every check that it stands on. */
export function recordLines(report: Report): readonly string[] {
  const { answer } = report;
  const [record] = answer?.records ?? [];
  if (answer === null || record === undefined) return checkLines(report);
  const model = answer.models.find(({ manifest }) => manifest === record.model);
  return [
    ...table([...recordRows(record, report), ...(model === undefined ? [] : modelRows(model))]),
    "",
    ...checkLines(report),
  ];
}

function recordRows(record: RecordAnswer, { timeLabel, answer }: Report): string[][] {
  const { origin, index, loadIndex, ordinal, model, grade, standing, bracket, deviceTime, durationMicros } = record;
  const [after, before] = [bracket.notBefore, bracket.notAfter].map((ms) =>
    ms === null ? "?" : new Date(ms).toISOString(),
  );
  return [
    ["record", `${origin} #${index}, ${durationMicros} µs${standing === "key revoked" ? ", its KEY IS REVOKED" : ""}`],
    ["made", `between ${after} and ${before} (${timeLabel}); the device said ${deviceClock(deviceTime)}`],
    ["load", `entry ${loadIndex}, record ${ordinal} under it, ${grade}`],
    ...(answer?.erased ?? []).map(({ statement }) => ["contents", `erased, as the device states in ${statement}`]),
    ...(answer?.quarantines ?? []).flatMap((found) =>
      quarantineLines(found).map((line, i) => [i === 0 ? "quarantine" : "", line.trim()]),
    ),
    ["model", model ?? "no manifest"],
  ];
}

function modelRows(model: ModelAnswer): string[][] {
  const { repository, files, signedBy, approvedBy, releases, origin } = model;
  return [
    ["", `${repository ?? "no repository"}: ${files.map(({ name }) => name).join(", ")}`],
    ["signed", by(signedBy)],
    ["approved", by(approvedBy)],
    ...inOrder(releases).map(({ channel, sequence, by: whom }) => [
      "released",
      `as ${channel} #${sequence} ${by(whom)}`,
    ]),
    ["trained", by(origin.trainedBy)],
    ...origin.data.map(({ name, digest, source, license, segments }) => [
      "data",
      `${name} ${digest}, ${source === null ? "no signed source" : `from ${source}`}${license === null ? "" : `, ${license}`}${segments.length === 0 ? "" : `, ${segments.length} segments`}`,
    ]),
    ...origin.parents.map((digest) => ["parent", digest]),
  ];
}

function by(names: readonly string[]): string {
  return `by ${names.length === 0 ? "nobody proven" : names.join(", ")}`;
}

/** What the device's clock said, which may be any number: a device can lie beyond what a date holds. */
function deviceClock(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
