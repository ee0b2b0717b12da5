import { decodeStrictly } from "./decode-strictly.ts";
import { readCanonical } from "./read-canonical.ts";
import { type CborValue, invalid } from "./value.ts";

/**
 * Decodes exactly one deterministically encoded value and accepts no second form of it: what decodes, encodes to the
 * same bytes. Lists and maps nest at most 8 deep.
 *
 * @throws EvidenceError `cbor-invalid` for floats, tags, undefined, integers outside ±(2^53 − 1), duplicate or unsorted
 *   keys, indefinite or overlong lengths, malformed UTF-8, trailing bytes.
 */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const { value, end } = decodeCborFirst(bytes);
  if (end !== bytes.length) throw invalid(`${bytes.length - end} bytes follow the value`);
  return value;
}

/** Decodes a CBOR sequence (RFC 8742): values one after another, each held to the rules of `decodeCbor`. */
export function decodeCborSequence(bytes: Uint8Array): CborValue[] {
  const values: CborValue[] = [];
  for (let start = 0; start < bytes.length; ) {
    const { value, end } = decodeCborFirst(bytes, start);
    values.push(value);
    start = end;
  }
  return values;
}

/** Decodes the value that begins at `start`; `end` is the offset of the byte after it. Rules as in `decodeCbor`. */
export function decodeCborFirst(bytes: Uint8Array, start = 0): { value: CborValue; end: number } {
  return readCanonical(bytes, start) ?? decodeStrictly(bytes, start);
}
