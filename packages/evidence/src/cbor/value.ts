import { EvidenceError } from "../error.ts";

/**
 * The values that Tally's CBOR carries: integers within ±(2^53 − 1), well-formed text, byte strings, booleans, null,
 * lists, and maps keyed by integers or text. No floats, tags or undefined: a decimal is written [exponent, mantissa].
 */
export type CborValue = number | string | Uint8Array | boolean | null | readonly CborValue[] | CborMap;

/** A CBOR map. Insertion order does not matter: encoding sorts the keys (RFC 8949, 4.2.1). */
export type CborMap = ReadonlyMap<number | string, CborValue>;

/** How deep lists and maps may nest; the outermost is at depth 1. */
export const maxCborDepth = 8;

export function isCborMap(value: CborValue | undefined): value is CborMap {
  return value instanceof Map;
}

export function isCborList(value: CborValue | undefined): value is readonly CborValue[] {
  return Array.isArray(value);
}

/** Throws `cbor-invalid` unless `value`, at run time too, is a value that can be written. */
export function assertCborValue(value: CborValue, depth = 0): void {
  if (typeof value === "boolean" || value === null || value instanceof Uint8Array) return;
  if (typeof value === "number" || typeof value === "string") {
    assertScalar(value);
    return;
  }
  if (depth >= maxCborDepth) throw tooDeep();
  if (isCborList(value)) {
    for (const item of value) assertCborValue(item, depth + 1);
  } else if (isCborMap(value)) {
    for (const [key, item] of value) {
      assertScalar(key);
      assertCborValue(item, depth + 1);
    }
  } else {
    throw invalid(`a value of type ${typeof value} has no place in Tally's CBOR`);
  }
}

export function invalid(why: string, cause?: unknown): EvidenceError {
  return new EvidenceError("cbor-invalid", `not deterministic CBOR: ${why}`, cause === undefined ? {} : { cause });
}

export function tooDeep(): EvidenceError {
  return invalid(`lists and maps nest deeper than ${maxCborDepth}`);
}

function assertScalar(value: number | string): void {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw invalid("text holds a lone surrogate");
  } else if (!Number.isSafeInteger(value)) {
    throw invalid(`${String(value)} is not an integer within ±(2^53 − 1)`);
  }
}
