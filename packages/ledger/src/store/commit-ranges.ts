import { MAX_COMMIT_ENTRIES, MAX_COMMIT_LENGTH } from "./layout.ts";

/** Splits entries into commits that are within both bounds: [from, to) of each. */
export function* commitRanges(entries: readonly Uint8Array[]): Generator<[from: number, to: number]> {
  let from = 0;
  let length = 0;
  for (const [i, entry] of entries.entries()) {
    if (i - from === MAX_COMMIT_ENTRIES || length + 2 + entry.length > MAX_COMMIT_LENGTH) {
      yield [from, i];
      from = i;
      length = 0;
    }
    length += 2 + entry.length;
  }
  if (from < entries.length) yield [from, entries.length];
}
