import { beginReading, readBytes, readHead, readingAt } from "../cbor/read-canonical.ts";
import { begin, finish, writeBytes, writeHash, writeHead } from "../cbor/writer.ts";
import { asHash, type HashText } from "../digest.ts";
import { type Inference, inference } from "./inference.ts";
import type { SaltedCommitment } from "./shapes.ts";

/** A commitment as who records it holds it. */
export interface TextCommitment {
  readonly commitment: HashText;
  readonly slot: number;
}

/** A record that holds nothing optional, before its commitments are arrays: they would be made to be copied once. */
export interface PlainRecord
  extends Pick<Inference, "time" | "loadIndex" | "ordinal" | "durationMicros">,
    Readonly<Record<"input" | "output", TextCommitment>> {
  readonly captureLevel: number;
}

/** The bytes of that record; undefined when it is not valid: `encodeEntry` then says what is wrong. */
export function encodeRecord(record: PlainRecord): Uint8Array | undefined {
  return encodeFields(record);
}

/**
 * The bytes of a record that holds nothing optional, as most do; undefined for any other and for one that is not valid: the way
 * of all entries then says what is wrong. It writes what that way writes, without a map in between.
 *
 *     a8 00 05  01 time  02 load  03 ordinal  04 82 58 20 … slot  05 82 58 20 … slot  07 duration  08 capture level
 */
export function encodePlainInference(entry: Inference): Uint8Array | undefined {
  if (!isPlain(entry) || typeof entry.captureLevel !== "number") return undefined;
  return encodeFields(entry as PlainInference);
}

type PlainInference = Inference & { readonly captureLevel: number };

function encodeFields(entry: PlainInference | PlainRecord): Uint8Array | undefined {
  const { time, loadIndex, ordinal, input, output, durationMicros, captureLevel } = entry;
  const uints = isUint(time) && isUint(loadIndex) && isUint(ordinal) && isUint(durationMicros) && isUint(captureLevel);
  if (!uints || !isCommitment(input) || !isCommitment(output)) return undefined;
  begin();
  writeHead(5, 8);
  writePair(0, inference.code);
  writePair(1, time);
  writePair(2, loadIndex);
  writePair(3, ordinal);
  writeCommitment(4, input);
  writeCommitment(5, output);
  writePair(7, durationMicros);
  writePair(8, captureLevel);
  return finish();
}

/**
 * Reads what `encodePlainInference` writes, in one pass over its bytes; undefined for all else, which the way of all entries
 * then reads or refuses.
 */
export function decodePlainInference(bytes: Uint8Array): Inference | undefined {
  // The least that fits: every integer in one byte.
  if (bytes.length < shortest || bytes[0] !== 0xa8 || bytes[1] !== 0 || bytes[2] !== inference.code) return undefined;
  beginReading(bytes, 3);
  const time = readPair(1);
  const loadIndex = readPair(2);
  const ordinal = readPair(3);
  const input = readCommitment(bytes, 4);
  const output = readCommitment(bytes, 5);
  const durationMicros = readPair(7);
  const captureLevel = readPair(8);
  if (input === undefined || output === undefined || readingAt() !== bytes.length) return undefined;
  if (time < 0 || loadIndex < 0 || ordinal < 0 || durationMicros < 0 || captureLevel < 0) return undefined;
  const kind = "inference";
  return Object.freeze({ kind, time, loadIndex, ordinal, input, output, durationMicros, captureLevel });
}

const shortest = 3 + 3 * 2 + 2 * 37 + 2 * 2;

function readPair(key: number): number {
  return readHead(0) === key ? readHead(0) : -1;
}

function readCommitment(bytes: Uint8Array, key: number): SaltedCommitment | undefined {
  if (readHead(0) !== key || readHead(4) !== 2 || readHead(2) !== 32 || readingAt() + 32 > bytes.length)
    return undefined;
  const commitment = asHash(readBytes(32));
  const slot = readHead(0);
  return slot < 0 ? undefined : Object.freeze({ commitment, slot });
}

function isPlain({ parameters, parents, parentsBlob, retrievals, retrievalsBlob, usage }: Inference): boolean {
  const references = parents ?? parentsBlob ?? retrievals ?? retrievalsBlob;
  return references === undefined && parameters === undefined && usage === undefined;
}

function isUint(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isCommitment({ commitment, slot }: SaltedCommitment | TextCommitment): boolean {
  const isHash = typeof commitment === "string" || commitment instanceof Uint8Array;
  return isHash && commitment.length === 32 && isUint(slot);
}

function writePair(key: number, value: number): void {
  writeHead(0, key);
  writeHead(0, value);
}

function writeCommitment(key: number, { commitment, slot }: SaltedCommitment | TextCommitment): void {
  writeHead(0, key);
  writeHead(4, 2);
  if (typeof commitment === "string") writeHash(commitment);
  else writeBytes(commitment);
  writeHead(0, slot);
}
