import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseIdentities } from "@tally/edge";
import type { Bracket } from "@tally/evidence";
import { timeOf } from "./question.ts";
import { checkLines } from "./report-lines.ts";
import { print, say, settings, type Terminal, table } from "./terminal/index.ts";
import { readTrustFile } from "./trust-file.ts";
import { type SegmentReport, type VerifiedRow, verifySegment } from "./verify-segment.ts";

export interface FolderFlags {
  readonly trust?: string;
  readonly at?: string;
  readonly evidence?: readonly string[];
  readonly identity?: readonly string[];
  readonly records?: boolean;
  readonly json?: boolean;
}

export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory();
}

/** The age identities of the files, all together. @throws EdgeError `config-invalid` */
export async function readIdentities(terminal: Terminal, files: readonly string[] = []): Promise<readonly string[]> {
  const read = files.map(async (file) => parseIdentities(await readFile(resolve(terminal.cwd, file), "utf8"), file));
  return (await Promise.all(read)).flat();
}

/** `tally verify FOLDER`: prints what is proven of an unpacked segment. @returns the exit code */
export async function verifyFolder(terminal: Terminal, folder: string, flags: FolderFlags): Promise<0 | 3 | 6> {
  const path = resolve(terminal.cwd, folder);
  const { trust } = await settings(terminal, flags);
  const report = await verifySegment({
    folder: path,
    evidence: [...(await evidenceIn(path)), ...(flags.evidence ?? []).map((file) => resolve(terminal.cwd, file))],
    trust: trust.value === undefined ? undefined : await readTrustFile(terminal, flags),
    identities: await readIdentities(terminal, flags.identity),
    now: flags.at === undefined ? Date.now() : timeOf("--at", flags.at),
  });
  print(terminal, flags.json, asJson(report), () => lines(report, flags.records === true));
  const isUnplaced = report.checks.some(({ name, result }) => name === "time" && result === "not made");
  const { model, origin } = report.inspected.segment;
  if (isUnplaced && model !== null) {
    const device = origin.split("/").at(-2);
    say(
      terminal,
      `the plane has the evidence: tally audit --model ${model} --device ${device} --from TIME --to TIME -o ${join(folder, "evidence.tally")}`,
    );
  }
  if (report.outcome === "good") return 0;
  return report.outcome === "bad" ? 3 : 6;
}

/** Answers and receipts that lie in the folder itself. */
async function evidenceIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith(".tally"))
    .sort()
    .map((name) => join(folder, name));
}

function lines({ inspected, outcome, checks, rows }: SegmentReport, withRows: boolean): readonly string[] {
  const { origin, from, to, model } = inspected.segment;
  return [
    `segment  entries ${from} to ${to} of ${origin}`,
    `model    ${model ?? "none: labels of earlier records only"}`,
    ...(withRows ? ["", "rows", ...table(rows.map(rowCells)).map((line) => `  ${line}`)] : []),
    "",
    // The ledger stands above, and all that is about it need not name it again.
    ...checkLines({
      outcome,
      checks: checks.map((one) => (one.about === origin ? { ...one, about: "" } : one)),
      damage: null,
    }),
  ];
}

function rowCells({ index, leaf, record, quarantined, edited }: VerifiedRow): readonly string[] {
  const grade = record === undefined ? "" : record.grade;
  return [
    `#${index}`,
    leaf,
    grade,
    timeText(record?.bracket),
    quarantined.length > 0 ? "under quarantine" : "",
    edited.length > 0 ? `EDITED in ${edited.join(", ")}` : "",
  ];
}

function timeText(bracket: Bracket | undefined): string {
  const time = (ms: number | null) => (ms === null ? "?" : new Date(ms).toISOString());
  return bracket === undefined ? "time not proven" : `${time(bracket.notBefore)} to ${time(bracket.notAfter)}`;
}

function asJson({ inspected, outcome, checks, rows }: SegmentReport): unknown {
  const { origin, from, to, model, late, absent } = inspected.segment;
  return {
    outcome,
    segment: { origin, from, to, model, lateLabels: late.length, absent: absent.map(({ index }) => index) },
    ...(inspected.sealing !== undefined && { encryptedTo: inspected.sealing.recipients }),
    checks,
    rows: rows.map(({ index, leaf, record, quarantined, edited }) => ({
      index,
      leaf,
      bracket: record?.bracket ?? null,
      ...(quarantined.length > 0 && { quarantined }),
      edited,
    })),
  };
}
