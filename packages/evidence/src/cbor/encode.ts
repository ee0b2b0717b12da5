import { type CborMap, type CborValue, invalid, isCborList, isCborMap, maxCborDepth, tooDeep } from "./value.ts";

// Written by hand, since a record is encoded for every output that a model gives: a tenth of the time of the library,
// which the tests hold it against, byte for byte (measured).

/** Grows as needed. Nothing here awaits, so that one scratch array serves everyone. */
let scratch = new Uint8Array(4096);
let at = 0;
const keptBytes = 1024 * 1024;
const encoder = new TextEncoder();

/**
 * Encodes by the core deterministic rules of RFC 8949, 4.2.1: shortest integers and lengths, definite lengths, map keys
 * in the byte order of their encodings. The same value has the same bytes everywhere.
 *
 * @throws EvidenceError `cbor-invalid` for what has no place in Tally's CBOR (see `CborValue`).
 */
export function encodeCbor(value: CborValue): Uint8Array {
  at = 0;
  writeValue(value, 0);
  const bytes = scratch.slice(0, at);
  if (scratch.length > keptBytes) scratch = new Uint8Array(4096);
  return bytes;
}

function writeValue(value: CborValue, depth: number): void {
  if (typeof value === "number") writeInteger(value);
  else if (value instanceof Uint8Array) writeBytes(value);
  else if (typeof value === "string") writeText(value);
  else if (value === null) writeHead(7, 22);
  else if (typeof value === "boolean") writeHead(7, value ? 21 : 20);
  else if (depth >= maxCborDepth) throw tooDeep();
  else if (isCborList(value)) {
    writeHead(4, value.length);
    for (const item of value) writeValue(item, depth + 1);
  } else if (isCborMap(value)) writeMap(value, depth);
  else throw invalid(`a value of type ${typeof value} has no place in Tally's CBOR`);
}

function writeMap(map: CborMap, depth: number): void {
  writeHead(5, map.size);
  if (isAscending(map)) {
    for (const [key, value] of map) {
      writeInteger(key as number);
      writeValue(value, depth + 1);
    }
    return;
  }
  const start = at;
  const entries = [...map].map(([key, value]) => {
    at = start;
    if (typeof key === "string") writeText(key);
    else writeInteger(key);
    return { key: scratch.slice(start, at), value };
  });
  at = start;
  entries.sort((a, b) => compareKeys(a.key, b.key));
  for (const { key, value } of entries) {
    put(key);
    writeValue(value, depth + 1);
  }
}

/** Whether the keys are unsigned integers that stand in order already, as those of entries do. */
function isAscending(map: CborMap): boolean {
  let last: number | string = -1;
  for (const key of map.keys()) {
    if (typeof key !== "number" || !(key > (last as number))) return false;
    last = key;
  }
  return true;
}

/** Two encoded keys differ before either ends: none is a prefix of another. */
function compareKeys(a: Uint8Array, b: Uint8Array): number {
  let i = 0;
  while (a[i] === b[i]) i += 1;
  return a[i]! - b[i]!;
}

function writeInteger(value: number): void {
  if (!Number.isSafeInteger(value)) throw invalid(`${String(value)} is not an integer within ±(2^53 − 1)`);
  if (value >= 0) writeHead(0, value);
  else writeHead(1, -1 - value);
}

function writeBytes(bytes: Uint8Array): void {
  writeHead(2, bytes.length);
  put(bytes);
}

function writeText(text: string): void {
  if (!text.isWellFormed()) throw invalid("text holds a lone surrogate");
  const bytes = encoder.encode(text);
  writeHead(3, bytes.length);
  put(bytes);
}

/** The first byte holds the major type and a small argument, or how many bytes the argument takes. */
function writeHead(major: number, argument: number): void {
  reserve(9);
  const type = major << 5;
  if (argument < 24) {
    scratch[at++] = type | argument;
  } else if (argument < 0x100) {
    scratch[at++] = type | 24;
    scratch[at++] = argument;
  } else if (argument < 0x10000) {
    scratch[at++] = type | 25;
    scratch[at++] = argument >>> 8;
    scratch[at++] = argument;
  } else if (argument < 0x100000000) {
    scratch[at++] = type | 26;
    putUint32(argument);
  } else {
    scratch[at++] = type | 27;
    putUint32(Math.floor(argument / 0x100000000));
    putUint32(argument % 0x100000000);
  }
}

function putUint32(value: number): void {
  scratch[at++] = value >>> 24;
  scratch[at++] = value >>> 16;
  scratch[at++] = value >>> 8;
  scratch[at++] = value;
}

function put(bytes: Uint8Array): void {
  reserve(bytes.length);
  scratch.set(bytes, at);
  at += bytes.length;
}

function reserve(bytes: number): void {
  if (at + bytes <= scratch.length) return;
  const larger = new Uint8Array(Math.max(2 * scratch.length, at + bytes));
  larger.set(scratch.subarray(0, at));
  scratch = larger;
}
