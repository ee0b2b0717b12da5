import { fromUtf8 } from "../bytes.ts";
import { allot } from "./shared-memory.ts";
import { type CborMap, type CborValue, maxCborDepth } from "./value.ts";

// The way of every entry that is in order, in a pass over its bytes that accepts the one deterministic form and nothing
// else. What it does not accept goes to the library behind a strict tokenizer, which says what is wrong; the tests hold
// both against each other. Nothing here awaits, so that one place serves everyone.
let data = new Uint8Array();
let at = 0;

const refused = Symbol("not the deterministic form");
type Read = CborValue | typeof refused;
const nothing = new Uint8Array();

/** The value that begins at `start`, and where it ends; undefined when it is not exactly as `decodeCbor` wants it. */
export function readCanonical(bytes: Uint8Array, start: number): { value: CborValue; end: number } | undefined {
  beginReading(bytes, start);
  const value = readValue(0);
  data = nothing;
  return value === refused ? undefined : { value, end: at };
}

/** For readers that know what has to come: sets the place from which `readHead` and `readBytes` go on. */
export function beginReading(bytes: Uint8Array, start = 0): void {
  data = bytes as Uint8Array<ArrayBuffer>;
  at = start;
}

/** Where the reading has come to. */
export function readingAt(): number {
  return at;
}

/** The argument of a head of that major type; -1 when another stands here, or not in its shortest form. */
export function readHead(major: number): number {
  if (at >= data.length) return -1;
  const first = data[at++]!;
  return first >> 5 === major ? readArgument(first & 0x1f) : -1;
}

function readValue(depth: number): Read {
  if (at >= data.length) return refused;
  const first = data[at++]!;
  if (first >= 0xe0) return readSimple(first);
  const argument = readArgument(first & 0x1f);
  if (argument < 0) return refused;
  switch (first >> 5) {
    case 0:
      return argument;
    case 1:
      return argument < Number.MAX_SAFE_INTEGER ? -1 - argument : refused;
    case 2:
      return at + argument > data.length ? refused : readBytes(argument);
    case 3:
      return at + argument > data.length ? refused : readText(argument);
    case 4:
      return depth >= maxCborDepth ? refused : readList(argument, depth + 1);
    case 5:
      return depth >= maxCborDepth ? refused : readMap(argument, depth + 1);
    default:
      return refused;
  }
}

function readSimple(first: number): Read {
  if (first === 0xf6) return null;
  if (first === 0xf5) return true;
  return first === 0xf4 ? false : refused;
}

/** The argument of a head in its shortest form; -1 for any other form and for integers above 2^53 − 1. */
function readArgument(info: number): number {
  if (info < 24) return info;
  if (info > 27) return -1;
  const width = 1 << (info - 24);
  if (at + width > data.length) return -1;
  let value = 0;
  for (let i = 0; i < width; i += 1) value = value * 256 + data[at++]!;
  if (value > Number.MAX_SAFE_INTEGER) return -1;
  const least = info === 24 ? 24 : info === 25 ? 0x100 : info === 26 ? 0x10000 : 0x100000000;
  return value < least ? -1 : value;
}

/** A copy, a plain Uint8Array whatever `data` is. The bytes have to be there. */
export function readBytes(length: number): Uint8Array {
  const bytes = allot(length);
  if (length <= 64) for (let i = 0; i < length; i += 1) bytes[i] = data[at + i]!;
  else bytes.set(data.subarray(at, at + length));
  at += length;
  return bytes;
}

function readText(length: number): string | typeof refused {
  const bytes = data.subarray(at, at + length);
  at += length;
  try {
    return fromUtf8(bytes);
  } catch {
    return refused;
  }
}

function readList(length: number, depth: number): Read {
  // Each item has a byte at least: a length that cannot be true allocates nothing.
  if (length > data.length - at) return refused;
  const items: CborValue[] = [];
  for (let i = 0; i < length; i += 1) {
    const item = readValue(depth);
    if (item === refused) return refused;
    items.push(item);
  }
  return items;
}

function readMap(size: number, depth: number): CborMap | typeof refused {
  if (2 * size > data.length - at) return refused;
  const map = new Map<number | string, CborValue>();
  let [lastStart, lastEnd] = [0, 0];
  for (let i = 0; i < size; i += 1) {
    const start = at;
    const key = readValue(maxCborDepth);
    if (typeof key !== "number" && typeof key !== "string") return refused;
    if (i > 0 && !isAbove(lastStart, lastEnd, start, at)) return refused;
    [lastStart, lastEnd] = [start, at];
    const value = readValue(depth);
    if (value === refused) return refused;
    map.set(key, value);
  }
  return map;
}

/** Whether the encoded key [b, bEnd) stands after [a, aEnd) in the order of bytes; equal ones do not. */
function isAbove(a: number, aEnd: number, b: number, bEnd: number): boolean {
  for (; a < aEnd && b < bEnd; a += 1, b += 1) if (data[a] !== data[b]) return data[b]! > data[a]!;
  return b < bEnd;
}
