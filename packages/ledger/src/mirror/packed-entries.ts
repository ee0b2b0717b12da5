import type { PackedEntries } from "@tally/evidence";

/** Entries in the form of the journal. */
export async function packEntries(entries: AsyncIterable<Uint8Array>): Promise<PackedEntries> {
  const parts: PackedEntries[] = [];
  for await (const entry of entries) {
    const bytes = new Uint8Array(2 + entry.length);
    bytes[0] = entry.length >> 8;
    bytes[1] = entry.length & 0xff;
    bytes.set(entry, 2);
    parts.push({ bytes, ends: Uint32Array.of(bytes.length) });
  }
  return joinEntries(parts);
}

/** The entries without the first `count`. */
export function dropEntries({ bytes, ends }: PackedEntries, count: number): PackedEntries {
  if (count === 0) return { bytes, ends };
  const cut = ends[count - 1]!;
  return { bytes: bytes.subarray(cut), ends: ends.subarray(count).map((end) => end - cut) };
}

/** All of them in a row. */
export function joinEntries(parts: readonly PackedEntries[]): PackedEntries {
  const bytes = joinBytes(parts.map((part) => part.bytes));
  const ends = new Uint32Array(parts.reduce((sum, part) => sum + part.ends.length, 0));
  let [at, before] = [0, 0];
  for (const part of parts) {
    for (const end of part.ends) ends[at++] = before + end;
    before += part.bytes.length;
  }
  return { bytes, ends };
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
