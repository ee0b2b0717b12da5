import { EvidenceError } from "./error.ts";

const encoder = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF in the text, so that decoding and encoding again gives the same bytes.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Standard base64 (RFC 4648 section 4), padded. */
export function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/**
 * Reads standard, padded, canonical base64. Whitespace, missing padding, the URL alphabet and stray bits after the
 * last byte are refused, so that a value has one spelling only.
 *
 * @throws EvidenceError `encoding-invalid`
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch (cause) {
    throw new EvidenceError("encoding-invalid", `"${excerpt(text)}" is not standard padded base64`, { cause });
  }
  if (bytes.toBase64() !== text) {
    throw new EvidenceError("encoding-invalid", `"${excerpt(text)}" is not the canonical base64 of its bytes`);
  }
  return bytes;
}

/** Lowercase hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/**
 * Reads lowercase hexadecimal, two digits a byte.
 *
 * @throws EvidenceError `encoding-invalid`, also for uppercase digits
 */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    throw new EvidenceError("encoding-invalid", `"${excerpt(text)}" is not lowercase hexadecimal of whole bytes`);
  }
  return Uint8Array.fromHex(text);
}

/** The UTF-8 bytes of a text. A lone surrogate has none and is refused. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  if (!text.isWellFormed()) {
    throw new EvidenceError("encoding-invalid", `"${excerpt(text)}" holds half of a surrogate pair`);
  }
  return encoder.encode(text);
}

/**
 * Reads UTF-8 and nothing else: no replacement characters, and a byte order mark stays part of the text.
 *
 * @throws EvidenceError `encoding-invalid`
 */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new EvidenceError("encoding-invalid", "the bytes are not valid UTF-8", { cause });
  }
}

/** One array with the bytes of all parts, in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Whether both hold the same bytes. Not constant-time: nothing compared in this package is secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Orders by unsigned bytes, a prefix before what it is a prefix of. Negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function excerpt(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
