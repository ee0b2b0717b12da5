import { EvidenceError } from "../error.ts";

/**
 * Reads a size or index: decimal digits, no leading zero but in `0` itself, at most 2^53 − 1.
 *
 * @throws EvidenceError `encoding-invalid`
 */
export function parseDecimal(text: string): number {
  const number = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (text.endsWith("\n") || !Number.isSafeInteger(number)) {
    throw new EvidenceError("encoding-invalid", `"${text.slice(0, 60)}" is not a decimal number below 2^53`);
  }
  return number;
}
