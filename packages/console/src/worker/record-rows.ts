import {
  type CborValue,
  captureLevels,
  parameterCodes,
  parseDigest,
  type RecordAnswer,
  type RecordPages,
  type SaltedCommitment,
  toHex,
  usageCodes,
} from "@tally/evidence";
import type { Field, Page, RecordFilter, RecordRow, Rows } from "./messages.ts";

/** The records of one answer, handed out by the page, and read from the bundle each time. */
export class RecordRows {
  readonly #records: RecordPages | undefined;

  constructor(records?: RecordPages) {
    this.#records = records;
  }

  /** The records that a filter lets through, in the answer's order, from `page.from` on. */
  async rows({ origin, model, standing }: RecordFilter, { from, count }: Page): Promise<Rows> {
    const chosen = this.#records?.only({
      ...(origin !== null && { origin }),
      ...(model !== null && { model: parseDigest(model) }),
      ...(standing !== null && { standing }),
    });
    const rows: RecordRow[] = [];
    if (chosen !== undefined && from < chosen.count && count > 0) {
      for await (const record of chosen.read(from)) {
        rows.push(rowOf(record));
        if (rows.length >= count) break;
      }
    }
    return { total: chosen?.count ?? 0, rows };
  }

  /** All that a record says, for reading. */
  async fields(origin: string, index: number): Promise<readonly Field[]> {
    const wanted = new Map([[origin, new Set([index])]]);
    for await (const record of this.#records?.pick(wanted) ?? []) return fieldsOf(record);
    return [];
  }
}

function rowOf(record: RecordAnswer): RecordRow {
  const { origin, index, model, grade, standing, bracket, deviceTime } = record;
  const { notBefore, notAfter } = bracket;
  return { origin, index, model, grade, standing, notBefore, notAfter, deviceTime };
}

function fieldsOf({ origin, index, leaf, loadIndex, ordinal, model, entry }: RecordAnswer): readonly Field[] {
  return [
    ["Ledger", `${origin}, entry ${index}`],
    ["Leaf hash", toHex(leaf)],
    ["Model", model ?? "no manifest: the model is known by its files or its name only"],
    ["Load", `entry ${loadIndex} of this ledger; this record is number ${ordinal} under it`],
    ["Input", describeCommitment(entry.input)],
    ["Output", describeCommitment(entry.output)],
    ["Duration", `${entry.durationMicros} µs, as the device said`],
    ["Parameters", describeCodes(entry.parameters, parameterCodes)],
    ["Usage", describeCodes(entry.usage, usageCodes)],
    ["Capture", describeCapture(entry.captureLevel)],
    ["Made from", (entry.parents ?? []).map((parent) => `${parent.origin}, entry ${parent.index}`).join("; ")],
    ["Made from", entry.parentsBlob === undefined ? "" : `a list of records, ${entry.parentsBlob}`],
    ["Retrieved", (entry.retrievals ?? []).map(describeCommitment).join("; ")],
    ["Retrieved", entry.retrievalsBlob === undefined ? "" : `a list of commitments, ${entry.retrievalsBlob}`],
  ].filter((field): field is [string, string] => field[1] !== "");
}

function describeCommitment({ commitment, slot }: SaltedCommitment): string {
  return `commitment ${toHex(commitment)}, salt slot ${slot}`;
}

function describeCapture(level: number | SaltedCommitment): string {
  if (typeof level !== "number") return describeCommitment(level);
  if (level === captureLevels.none) return "neither input nor output was kept for segments";
  return level === captureLevels.full ? "input and output were kept for segments" : `level ${level}`;
}

function describeCodes(
  values: ReadonlyMap<number, CborValue> | undefined,
  codes: Readonly<Record<string, number>>,
): string {
  const names = new Map(Object.entries(codes).map(([name, code]) => [code, name]));
  return [...(values ?? [])]
    .map(([code, value]) => `${names.get(code) ?? `code ${code}`}: ${describeValue(value)}`)
    .join(", ");
}

/** A decimal is [exponent, mantissa]. */
function describeValue(value: CborValue): string {
  if (value instanceof Uint8Array) return toHex(value);
  if (!Array.isArray(value)) return String(value);
  const [exponent, mantissa] = value as readonly CborValue[];
  if (value.length === 2 && typeof exponent === "number" && typeof mantissa === "number")
    return `${mantissa}e${exponent}`;
  return `[${value.map(describeValue).join(", ")}]`;
}
