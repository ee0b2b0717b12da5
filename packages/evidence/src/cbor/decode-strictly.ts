import { decodeFirst, encode, rfc8949EncodeOptions } from "cborg";
import { equalBytes } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { StrictTokenizer, strictDecodeOptions } from "./strict-tokenizer.ts";
import { assertCborValue, type CborValue, invalid } from "./value.ts";

/**
 * The library's way to the value that begins at `start`: decodes behind a strict tokenizer and encodes again to see
 * whether it was the only form. Slow, and says what is wrong.
 *
 * @throws EvidenceError `cbor-invalid`
 */
export function decodeStrictly(bytes: Uint8Array, start: number): { value: CborValue; end: number } {
  const rest = bytes.subarray(start);
  const [value, tail] = parse(rest);
  const length = rest.length - tail.length;
  if (!equalBytes(encodeWithLibrary(value), rest.subarray(0, length)))
    throw invalid("the value has a shorter or differently ordered form");
  return { value, end: start + length };
}

/** What `encodeCbor` has to give, byte for byte. @throws EvidenceError `cbor-invalid` */
export function encodeWithLibrary(value: CborValue): Uint8Array {
  assertCborValue(value);
  // Sometimes a Buffer otherwise.
  return new Uint8Array(encode(value, rfc8949EncodeOptions));
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
