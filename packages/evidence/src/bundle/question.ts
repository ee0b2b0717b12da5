import { equalBytes, fromHex, toHex } from "../bytes.ts";
import { type CborValue, encodeCbor, isCborMap } from "../cbor/index.ts";
import { asHash, type Digest, digestFromHash, hashFromDigest } from "../digest.ts";
import { EvidenceError } from "../error.ts";

/**
 * What a bundle answers. The verifier recomputes the answer from the members; the question is all it takes from the
 * header, and a caller can insist on the question that was meant (evidence.md 9).
 */
export type Question = RecordsQuestion | RecordQuestion | SummaryQuestion;

/** A question about what was made in an interval. */
export type IntervalQuestion = RecordsQuestion | SummaryQuestion;

/** Which records were made by a model (any, if null), on these devices (all ever admitted, if null), in [from, to)? */
export interface RecordsQuestion {
  readonly kind: "records";
  /** Digest of the model's manifest, or null for every model. */
  readonly model: Digest | null;
  /** Milliseconds since 1970; inclusive. Compared with brackets proven by witnesses, never with a device's clock. */
  readonly from: number;
  /** Milliseconds since 1970; exclusive. */
  readonly to: number;
  /** Device ids, 32 hex digits each, sorted; null for all. */
  readonly devices: readonly string[] | null;
}

/** How many such records, as the summaries in the ledgers state it? No record is in the answer. */
export interface SummaryQuestion extends Omit<RecordsQuestion, "kind"> {
  readonly kind: "summary";
}

/** What is proven of one record? The answer is a receipt. */
export interface RecordQuestion {
  readonly kind: "record";
  readonly origin: string;
  readonly index: number;
}

const kinds = { records: 1, record: 2, summary: 3 } as const;

export function questionToCbor(question: Question): CborValue {
  if (question.kind === "record") {
    return new Map<number, CborValue>([
      [0, kinds.record],
      [1, question.origin],
      [2, question.index],
    ]);
  }
  return new Map<number, CborValue>([
    [0, kinds[question.kind]],
    [1, question.model === null ? null : hashFromDigest(question.model)],
    [2, question.from],
    [3, question.to],
    [4, question.devices === null ? null : question.devices.map((id) => fromHex(id))],
  ]);
}

/** @throws EvidenceError `bundle-invalid` for any other shape. */
export function questionFromCbor(value: CborValue): Question {
  if (!isCborMap(value)) throw invalid("the question is not a map");
  const kind = value.get(0);
  if (kind === kinds.record) {
    const origin = value.get(1);
    const index = value.get(2);
    if (value.size !== 3 || typeof origin !== "string" || !isCount(index)) throw invalid("the question about a record");
    return Object.freeze({ kind: "record", origin, index });
  }
  if (kind !== kinds.records && kind !== kinds.summary)
    throw invalid(`the question is of unknown kind ${String(kind)}`);
  const [model, from, to, devices] = [value.get(1), value.get(2), value.get(3), value.get(4)];
  if (value.size !== 5 || !isMoment(from) || !isMoment(to) || from >= to)
    throw invalid("the question's interval is empty, or beyond what a date can be");
  if (model !== null && !(model instanceof Uint8Array)) throw invalid("the question's model is not a digest");
  return Object.freeze({
    kind: kind === kinds.records ? "records" : "summary",
    model: model === null ? null : digestFromHash(asHash(model)),
    from,
    to,
    devices: devices === null ? null : deviceIds(devices),
  });
}

/** One line that a person can read, for the head of every report. */
export function describeQuestion(question: Question): string {
  if (question.kind === "record")
    return `record ${question.origin} #${question.index}: by which model, and what is proven of it?`;
  const model = question.model === null ? "by any model" : `by model ${question.model}`;
  const devices = question.devices === null ? "on every device" : `on device ${question.devices.join(", ")}`;
  const what = question.kind === "records" ? "records made" : "how many records were made";
  return `${what} ${model} ${devices}, from ${new Date(question.from).toISOString()} to ${new Date(question.to).toISOString()}`;
}

export function sameQuestion(a: Question, b: Question): boolean {
  return equalBytes(encodeCbor(questionToCbor(a)), encodeCbor(questionToCbor(b)));
}

function deviceIds(value: CborValue | undefined): readonly string[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid("the question's devices are not a list");
  const ids = value.map((id: CborValue) => {
    if (!(id instanceof Uint8Array) || id.length !== 16) throw invalid("a device id has 16 bytes");
    return toHex(id);
  });
  if (ids.some((id, i) => i > 0 && id <= ids[i - 1]!)) throw invalid("the question's devices are not sorted");
  return Object.freeze(ids);
}

// ECMA-262, 21.4.1.1: the last moment that a Date can hold.
const lastMoment = 8.64e15;

function isMoment(value: CborValue | undefined): value is number {
  return isCount(value) && value <= lastMoment;
}

function isCount(value: CborValue | undefined): value is number {
  return typeof value === "number" && value >= 0;
}

function invalid(what: string): EvidenceError {
  return new EvidenceError("bundle-invalid", `${what}: not a question that this version understands`);
}
