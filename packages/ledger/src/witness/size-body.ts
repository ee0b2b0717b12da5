import { LedgerError } from "../error.ts";
import { parseDecimal } from "./decimal.ts";

/** Content type of a 409 of `add-checkpoint`. */
export const SIZE_TYPE = "text/x.tlog.size";

/** The body of a 409 of `add-checkpoint`: the size that the witness last cosigned, `20852163\n`. */
export function formatSizeBody(size: number): string {
  return `${size}\n`;
}

/** Reads what `formatSizeBody` writes and nothing else; LedgerError `protocol`. */
export function parseSizeBody(text: string): number {
  if (!text.endsWith("\n")) throw new LedgerError("protocol", "the size does not end in a newline");
  return parseDecimal(text.slice(0, -1), "the size");
}
