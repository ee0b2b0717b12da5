import { LedgerError } from "../error.ts";

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;

/**
 * A tree size as the C2SP protocols write it: ASCII decimal without leading zeroes, at most 2^53 - 1.
 * LedgerError `protocol` for anything else.
 */
export function parseDecimal(text: string, what: string): number {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) {
    throw new LedgerError("protocol", `${what} is not a decimal of at most 2^53 - 1 without leading zeroes`);
  }
  return value;
}
