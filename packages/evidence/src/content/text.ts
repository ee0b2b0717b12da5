import { equalBytes, fromUtf8, utf8 } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { encodeJson, type JsonValue, parseJson } from "./i-json.ts";

/** Media types of content that records commit to. */
export const mediaTypes = {
  tensors: "application/vnd.tally.tensors.v1",
  text: "text/plain; charset=utf-8",
  json: "application/json",
} as const;

/** Text as UTF-8, as it is: no normalisation, no byte order mark added or removed. Refuses lone surrogates. */
export function encodeText(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new EvidenceError("content-invalid", "the text holds a lone surrogate");
  return utf8(text);
}

/** @throws EvidenceError `content-invalid` for malformed UTF-8 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new EvidenceError("content-invalid", "the bytes are not UTF-8", { cause });
  }
}

/** Reads JSON content, which has one form only (RFC 8785). @throws EvidenceError `content-invalid` */
export function decodeJson(bytes: Uint8Array): JsonValue {
  const value = parseJson(bytes);
  if (!equalBytes(encodeJson(value), bytes)) {
    throw new EvidenceError("content-invalid", "the JSON is not in the canonical form of RFC 8785");
  }
  return value;
}
