import { fromBase64, toBase64 } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import { parseDecimal } from "../witness/decimal.ts";

/** Content type of a 202 or 409 of `add-entries`. */
export const MIRROR_INFO_TYPE = "text/x.tlog.mirror-info";

/** Where an upload should go on: to the tree of `size`, from entry `nextEntry`, showing `ticket`. */
export interface MirrorInfo {
  readonly size: number;
  readonly nextEntry: number;
  readonly ticket: Uint8Array;
}

/** Three lines (C2SP tlog-mirror): `1024\n512\nc2VhbGVk\n`. The ticket may be empty. */
export function formatMirrorInfo(info: MirrorInfo): string {
  return `${info.size}\n${info.nextEntry}\n${toBase64(info.ticket)}\n`;
}

/** Reads what `formatMirrorInfo` writes and nothing else; LedgerError `protocol`. */
export function parseMirrorInfo(text: string): MirrorInfo {
  const [size, nextEntry, ticket, end, ...more] = text.split("\n");
  if (size === undefined || nextEntry === undefined || ticket === undefined || end !== "" || more.length > 0) {
    throw new LedgerError("protocol", "mirror info is not three lines");
  }
  return Object.freeze({
    size: parseDecimal(size, "the tree size in mirror info"),
    nextEntry: parseDecimal(nextEntry, "the next entry in mirror info"),
    ticket: decodeTicket(ticket),
  });
}

function decodeTicket(line: string): Uint8Array {
  try {
    const ticket = fromBase64(line);
    if (ticket.length > 0xffff) throw new LedgerError("protocol", "the ticket in mirror info is over 65,535 bytes");
    return ticket;
  } catch (error) {
    if (error instanceof LedgerError) throw error;
    throw new LedgerError("protocol", "the ticket in mirror info is not base64", { cause: error });
  }
}
