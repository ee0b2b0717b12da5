import { decodeFirst } from "cborg";
import { equalBytes } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { encodeCbor } from "./encode.ts";
import { StrictTokenizer, strictDecodeOptions } from "./strict-tokenizer.ts";
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
  const rest = bytes.subarray(start);
  const [value, tail] = parse(rest);
  const length = rest.length - tail.length;
  const canonical = encodeCbor(value);
  if (!equalBytes(canonical, rest.subarray(0, length)))
    throw invalid("the value has a shorter or differently ordered form");
  return { value, end: start + length };
}

function parse(bytes: Uint8Array): [value: CborValue, tail: Uint8Array] {
  // A Buffer would make byte strings Buffers too; plain arrays keep one type everywhere.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    return decodeFirst(plain, { ...strictDecodeOptions, tokenizer: new StrictTokenizer(plain) });
  } catch (cause) {
    if (cause instanceof EvidenceError && cause.code === "cbor-invalid") throw cause;
    throw invalid(String(cause instanceof Error ? cause.message : cause).replace(/^CBOR decode error: /, ""), cause);
  }
}
