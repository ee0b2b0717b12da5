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

/** Entries as they lie in the journal and in C2SP entry bundles, and where each ends: `u16 BE length ‖ entry`. */
export function frame(entries: readonly Uint8Array[]): { bytes: Uint8Array; ends: number[] } {
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  const ends: number[] = [];
  let at = 0;
  for (const entry of entries) {
    checkEntry(entry);
    bytes[at] = entry.length >> 8;
    bytes[at + 1] = entry.length & 0xff;
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
    ends.push(at);
  }
  return { bytes, ends };
}

/** Splits whole frames; undefined when the bytes end within one. The entries are views into `bytes`. */
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
