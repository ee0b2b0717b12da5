import { encode, rfc8949EncodeOptions } from "cborg";
import { assertCborValue, type CborValue } from "./value.ts";

/**
 * Encodes by the core deterministic rules of RFC 8949, 4.2.1: shortest integers and lengths, definite lengths, map keys
 * in the byte order of their encodings. The same value has the same bytes everywhere.
 *
 * @throws EvidenceError `cbor-invalid` for what has no place in Tally's CBOR (see `CborValue`).
 */
export function encodeCbor(value: CborValue): Uint8Array {
  assertCborValue(value);
  return encode(value, rfc8949EncodeOptions);
}
