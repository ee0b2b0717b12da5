import { beginReading, readHead, readingAt } from "../cbor/read-canonical.ts";
import { inference } from "./inference.ts";

/** Where a record stands: what checking a ledger's runs needs of it. Filled in by `scanPlainInference`. */
export interface RecordPlace {
  loadIndex: number;
  ordinal: number;
}

/**
 * Whether bytes [from, to) are a record that holds nothing optional, by the same rules as decoding it, with nothing decoded but
 * its place: a mirror checks millions of them. False for all else, which `decodeEntry` then reads or refuses.
 *
 *     a8 00 05  01 time  02 load  03 ordinal  04 82 58 20 … slot  05 82 58 20 … slot  07 duration  08 capture level
 */
export function scanPlainInference(bytes: Uint8Array, from: number, to: number, place: RecordPlace): boolean {
  if (to - from < shortest || bytes[from] !== 0xa8 || bytes[from + 1] !== 0 || bytes[from + 2] !== inference.code) {
    return false;
  }
  beginReading(bytes, from + 3);
  const time = readPair(1);
  const loadIndex = readPair(2);
  const ordinal = readPair(3);
  if (time < 0 || loadIndex < 0 || ordinal < 0) return false;
  if (!skipCommitment(bytes, to, 4) || !skipCommitment(bytes, to, 5)) return false;
  if (readPair(7) < 0 || readPair(8) < 0 || readingAt() !== to) return false;
  place.loadIndex = loadIndex;
  place.ordinal = ordinal;
  return true;
}

/** Every integer in one byte. */
const shortest = 3 + 3 * 2 + 2 * 37 + 2 * 2;

function readPair(key: number): number {
  return readHead(0) === key ? readHead(0) : -1;
}

function skipCommitment(bytes: Uint8Array, to: number, key: number): boolean {
  if (readHead(0) !== key || readHead(4) !== 2 || readHead(2) !== 32) return false;
  const after = readingAt() + 32;
  if (after > to) return false;
  beginReading(bytes, after);
  return readHead(0) >= 0;
}
