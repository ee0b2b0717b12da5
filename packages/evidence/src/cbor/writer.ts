import { type HashText, putHash } from "../digest.ts";
import { allot } from "./shared-memory.ts";
import { invalid } from "./value.ts";

// The one place where CBOR is put together, by `encodeCbor` and by what knows its bytes beforehand. Between `begin` and
// `finish` nothing may await, so that one scratch array serves everyone.

let scratch = new Uint8Array(4096);
let at = 0;
const keptBytes = 1024 * 1024;

const encoder = new TextEncoder();

export function begin(): void {
  at = 0;
}

/** The bytes written since `begin`. */
export function finish(): Uint8Array {
  const bytes = allot(at);
  bytes.set(scratch.subarray(0, at));
  if (scratch.length > keptBytes) scratch = new Uint8Array(4096);
  return bytes;
}

/** Takes out what was written since `from`, and goes on there. */
export function takeBack(from: number): Uint8Array {
  const bytes = scratch.slice(from, at);
  at = from;
  return bytes;
}

/** How many bytes were written. */
export function position(): number {
  return at;
}

/** @throws EvidenceError `cbor-invalid` */
export function writeInteger(value: number): void {
  if (!Number.isSafeInteger(value)) throw invalid(`${String(value)} is not an integer within ±(2^53 − 1)`);
  if (value >= 0) writeHead(0, value);
  else writeHead(1, -1 - value);
}

export function writeBytes(bytes: Uint8Array): void {
  writeHead(2, bytes.length);
  put(bytes);
}

/** A byte string of the hash's 32 bytes. */
export function writeHash(text: HashText): void {
  writeHead(2, 32);
  reserve(32);
  putHash(text, scratch, at);
  at += 32;
}

/** @throws EvidenceError `cbor-invalid` for a lone surrogate */
export function writeText(text: string): void {
  if (!text.isWellFormed()) throw invalid("text holds a lone surrogate");
  const bytes = encoder.encode(text);
  writeHead(3, bytes.length);
  put(bytes);
}

/** The first byte holds the major type and a small argument, or how many bytes the argument takes. */
export function writeHead(major: number, argument: number): void {
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

export function put(bytes: Uint8Array): void {
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
