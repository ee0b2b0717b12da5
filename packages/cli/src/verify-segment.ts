import { type InspectedSegment, inspectSegment, type OpenedSegment, type SegmentRow } from "@tally/edge";
import {
  type Check,
  type Digest,
  describeQuarantined,
  type Outcome,
  outcomeOf,
  type QuarantineAnswer,
  quarantinesOf,
  type RecordAnswer,
  type Trust,
  toHex,
  verifyRecords,
} from "@tally/evidence";
import { openFileSource } from "./file-source.ts";
import { counted } from "./terminal/index.ts";
import { trusting } from "./trust-file.ts";

export interface FolderToVerify {
  /** An unpacked segment. */
  readonly folder: string;
  /** Evidence bundles or receipts of its records, by path. */
  readonly evidence: readonly string[];
  /** What evidence is verified with; without it none is. */
  readonly trust: Trust | undefined;
  /** Age identities of a recipient, where the contents are encrypted. */
  readonly identities: readonly string[];
  /** Milliseconds since 1970, for the trust file's maximum age. */
  readonly now: number;
}

/** A row as far as it is proven. */
export interface VerifiedRow {
  readonly index: number;
  readonly leaf: string;
  readonly model: string | null;
  /** What of the record the evidence proves; undefined where it says nothing of it. */
  readonly record: RecordAnswer | undefined;
  /** Statements by which the evidence has it under quarantine. */
  readonly quarantined: readonly Digest[];
  /** Files in which it was edited. */
  readonly edited: readonly string[];
}

export interface SegmentReport {
  readonly outcome: Outcome;
  readonly inspected: InspectedSegment;
  readonly checks: readonly Check[];
  readonly rows: readonly VerifiedRow[];
}

const name = {
  proof: "ledger",
  signature: "signatures",
  contents: "contents",
  rows: "rows",
  model: "model",
  evidence: "evidence",
  device: "device",
  time: "time",
  erased: "not erased",
  kept: "not quarantined",
};

/**
 * Verifies an unpacked segment: every row against the payloads, these against the commitments of entries, these under a
 * checkpoint that the device signed. Whose device it is and when the records were made stands in the plane's logs, so it
 * takes evidence and a trust file; without them those checks are not made, and the outcome is "not proven".
 *
 * @throws EdgeError `segment-invalid` where the segment's proof does not hold
 */
export async function verifySegment(wanted: FolderToVerify): Promise<SegmentReport> {
  const { folder, identities } = wanted;
  const inspected = await inspectSegment(folder, undefined, identities);
  const { segment, checkpoint } = inspected;
  const { origin, from, to, rows } = segment;
  const checks = new Checks(origin);
  checks.good(name.proof, `entries ${from} to ${to} are under the device's checkpoint of size ${checkpoint.size}`);
  const quarantined = new Map<number, Digest[]>();
  const found = await findInEvidence(wanted, inspected, checks, quarantined);
  checkSignature(inspected, found, checks);
  checkContents(inspected, checks);
  if (segment.model !== null) checks.good(name.model, `every row's load was accepted, of ${segment.model}`);
  checkFound(segment, found, wanted, checks);
  const edited = Map.groupBy(inspected.faults, ({ index }) => index);
  return {
    outcome: outcomeOf(checks.all),
    inspected,
    checks: checks.all,
    rows: rows.map(({ index, leaf }) => ({
      index,
      leaf,
      model: segment.model,
      record: found.get(index),
      quarantined: quarantined.get(index) ?? [],
      edited: (edited.get(index) ?? []).map(({ file }) => file),
    })),
  };
}

/** The segment's own records as the evidence has them, by index. */
async function findInEvidence(
  { evidence, trust, now }: FolderToVerify,
  { segment }: InspectedSegment,
  checks: Checks,
  quarantined: Map<number, Digest[]>,
): Promise<ReadonlyMap<number, RecordAnswer>> {
  const { origin, rows } = segment;
  const found = new Map<number, RecordAnswer>();
  if (trust === undefined) return found;
  const wanted = new Map([[origin, new Set(rows.map(({ index }) => index))]]);
  for (const path of evidence) {
    await using source = await openFileSource(path);
    const { report, records } = await verifyRecords({
      bundle: source,
      ...(await trusting(trust)),
      now,
      holdRecords: 0,
    });
    if (report.outcome !== "good") {
      const failed = report.checks.find(({ result, required }) => required && result !== "good");
      const why = report.damage?.what ?? (failed ? `${failed.name}: ${failed.reason}` : report.outcome);
      checks.add(name.evidence, report.outcome === "bad" ? "bad" : "not made", `${path}: ${why}`, true);
      continue;
    }
    let count = 0;
    const kept = new Map<QuarantineAnswer, number>();
    for await (const record of records.pick(wanted)) {
      found.set(record.index, record);
      count += 1;
      for (const over of report.answer === null ? [] : quarantinesOf(record, report.answer)) {
        kept.set(over, (kept.get(over) ?? 0) + 1);
        quarantined.set(record.index, [...(quarantined.get(record.index) ?? []), over.statement]);
      }
    }
    checks.good(name.evidence, `${path} is good, and proves ${counted(count, "record")} of these`);
    for (const [{ statement, what, by, reason }, rows] of kept) {
      const why = `${describeQuarantined(what)}, by ${by.join(", ")}: ${reason}`;
      checks.add(name.kept, "not made", `${counted(rows, "row")} under quarantine ${statement}: ${why}`, false);
    }
    for (const { origin: of, index, statement } of report.answer?.erased ?? []) {
      if (of !== origin || !wanted.get(origin)?.has(index)) continue;
      checks.add(
        name.erased,
        "not made",
        `entry ${index}: its device has erased it since, as it states in ${statement}`,
        false,
      );
    }
  }
  return found;
}

/** The keys of the first entry sign; after a rotation others do, and only the plane's log knows them. */
function checkSignature(
  { signature, segment: { rows, model } }: InspectedSegment,
  found: ReadonlyMap<number, RecordAnswer>,
  checks: Checks,
): void {
  if (signature === undefined) {
    checks.good(name.signature, "signed with every key of the ledger's first entry");
  } else if (rows.length > 0 && rows.every((row) => isSame(row, model, found.get(row.index)))) {
    const why = "not signed with the keys of its first entry; the evidence proves every row under the keys that held";
    checks.add(name.signature, "not made", why, false);
  } else {
    const rotated = "where its keys were rotated, evidence of every row shows under which ones it was made";
    checks.add(name.signature, "bad", `${signature.message}; ${rotated}`, true);
  }
}

function checkContents({ segment, payloads, sealing, faults }: InspectedSegment, checks: Checks): void {
  const { rows, late, absent } = segment;
  if (sealing !== undefined && !sealing.opened) {
    const names = sealing.recipients.map((recipient) => recipient.name).join(", ");
    checks.add(name.contents, "not made", `encrypted to ${names}: give --identity FILE of one of them`, true);
  } else if (!faults.some(({ file }) => file.includes("payloads") || file.includes("sealed"))) {
    checks.good(name.contents, `${counted(payloads.length, "item")} open the commitments of their entries`);
  }
  for (const { file, why } of faults) checks.add(name.rows, "bad", `${file}: ${why}`, true);
  if (faults.length === 0 && (sealing === undefined || sealing.opened)) {
    const labels = late.length > 0 ? `, and ${counted(late.length, "label")} of earlier records` : "";
    checks.good(name.rows, `${counted(rows.length, "row")}${labels}, each what its contents render to`);
  }
  if (absent.length > 0 && (sealing === undefined || sealing.opened)) {
    const what = `${counted(absent.length, "captured record")} without a row: erased, or lost; entry ${absent[0]!.index} is the first`;
    checks.add("absent", "not made", what, false);
  }
}

/** Whose ledger it is, and when its records were made. */
function checkFound(
  { rows, model }: OpenedSegment,
  found: ReadonlyMap<number, RecordAnswer>,
  { evidence, trust }: FolderToVerify,
  checks: Checks,
): void {
  if (rows.length === 0) return;
  const other = rows.find((row) => found.has(row.index) && !isSame(row, model, found.get(row.index)));
  if (other !== undefined) {
    checks.add(name.device, "bad", `entry ${other.index} is another one in the ledger that the plane holds`, true);
    return;
  }
  const proven = rows.flatMap((row) => found.get(row.index) ?? []);
  const missing = rows.length - proven.length;
  const why = trust === undefined ? "no trust file is set" : evidence.length === 0 ? "no evidence is given" : undefined;
  const what =
    why ??
    `${counted(missing, "row")} of ${rows.length}, such as entry ${rows.find(({ index }) => !found.has(index))?.index}, stand in no evidence given`;
  if (missing > 0) {
    checks.add(name.device, "not made", `${what}: that an enrolled device recorded it is not proven`, true);
    checks.add(name.time, "not made", `${what}: when it was recorded is not proven`, true);
    return;
  }
  const revoked = proven.filter(({ standing }) => standing === "key revoked").length;
  if (revoked > 0) {
    checks.add(
      name.device,
      "not made",
      `the device's key is revoked, and nothing proves ${counted(revoked, "row")} to be older`,
      true,
    );
  } else checks.good(name.device, "enrolled, and its head is in the plane's log");
  const untimed = proven.filter(({ bracket }) => bracket.notBefore === null || bracket.notAfter === null).length;
  if (untimed > 0) checks.add(name.time, "not made", `the time of ${counted(untimed, "row")} is open at one end`, true);
  else checks.good(name.time, `recorded ${spanOf(proven)}`);
}

/** From the earliest to the latest that any row may be of. */
function spanOf(records: readonly RecordAnswer[]): string {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { bracket } of records) {
    first = Math.min(first, bracket.notBefore ?? first);
    last = Math.max(last, bracket.notAfter ?? last);
  }
  return `between ${new Date(first).toISOString()} and ${new Date(last).toISOString()}`;
}

function isSame(row: SegmentRow, model: string | null, record: RecordAnswer | undefined): boolean {
  return record !== undefined && toHex(record.leaf) === row.leaf && record.model === model;
}

/** Checks of one segment, in the order in which they are made. */
class Checks {
  readonly all: Check[] = [];
  readonly #about: string;

  constructor(about: string) {
    this.#about = about;
  }

  add(check: string, result: Check["result"], reason: string, required: boolean): void {
    this.all.push({ name: check, about: this.#about, result, reason, required });
  }

  good(check: string, reason: string): void {
    this.add(check, "good", reason, true);
  }
}
