import {
  type CborValue,
  captureLevels,
  parameterCodes,
  type RecordAnswer,
  type SaltedCommitment,
  toHex,
  usageCodes,
} from "@tally/evidence";
import type { Field, Page, RecordFilter, RecordRow, Rows } from "./messages.ts";

/** The records of one answer, handed out by the page. */
export class RecordRows {
  readonly #records: readonly RecordAnswer[];
  #filter = "";
  #chosen: readonly number[] = [];

  constructor(records: readonly RecordAnswer[]) {
    this.#records = records;
  }

  /** The records that a filter lets through, in the answer's order, from `page.from` on. */
  rows(filter: RecordFilter, page: Page): Rows {
    this.#choose(filter);
    const rows = this.#chosen
      .slice(page.from, page.from + page.count)
      .map((position) => rowOf(this.#records[position]!, position));
    return { total: this.#chosen.length, rows };
  }

  /** All that a record says, for reading. */
  fields(position: number): readonly Field[] {
    const record = this.#records[position];
    return record === undefined ? [] : fieldsOf(record);
  }

  /** Paging through asks for the same filter again and again. */
  #choose(filter: RecordFilter): void {
    const wanted = JSON.stringify(filter);
    if (wanted === this.#filter) return;
    const chosen: number[] = [];
    this.#records.forEach((record, position) => {
      if (passes(record, filter)) chosen.push(position);
    });
    this.#chosen = chosen;
    this.#filter = wanted;
  }
}

function passes(record: RecordAnswer, { origin, model, standing }: RecordFilter): boolean {
  return (
    (origin === null || record.origin === origin) &&
    (model === null || record.model === model) &&
    (standing === null || record.standing === standing)
  );
}

function rowOf(record: RecordAnswer, position: number): RecordRow {
  const { origin, index, model, grade, standing, bracket, deviceTime } = record;
  const { notBefore, notAfter } = bracket;
  return { position, origin, index, model, grade, standing, notBefore, notAfter, deviceTime };
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
