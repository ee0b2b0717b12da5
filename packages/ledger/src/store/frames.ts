import { LedgerError } from "../error.ts";

/** The largest entry: its length is a u16. */
export const MAX_ENTRY_BYTES = 65_535;

/** Refuses what cannot be framed: LedgerError `entry-too-large`. */
export function checkEntry(entry: Uint8Array): void {
  if (entry.length <= MAX_ENTRY_BYTES) return;
  throw new LedgerError("entry-too-large", `an entry of ${entry.length} bytes; the most is ${MAX_ENTRY_BYTES}`, {
    hint: "keep large content in a blob and name its digest in the entry",
  });
}

/** Splits whole frames, `u16 BE length ‖ entry`, as they lie in the journal and in C2SP entry bundles; undefined when the bytes end within one. The entries are views into `bytes`. */
export function unframe(bytes: Uint8Array, most = Number.POSITIVE_INFINITY): Uint8Array[] | undefined {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length && entries.length < most) {
    if (at + 2 > bytes.length) return undefined;
    const end = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!);
    if (end > bytes.length) return undefined;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
