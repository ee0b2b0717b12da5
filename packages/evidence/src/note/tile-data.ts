// C2SP tlog-tiles: a tile is its hashes one after another; a bundle is its entries, each with its length before it.
//
//     tile     hash[32] …
//     bundle   u16 length, entry …
import { concatBytes } from "../bytes.ts";
import { asHash, type Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { tileWidth } from "./tile-path.ts";

/** Longest entry that a bundle can hold, in bytes. */
export const maxEntrySize = 65_535;

/** Writes up to 256 hashes as a tile. @throws EvidenceError `tile-invalid` for none or more */
export function encodeTile(hashes: readonly Hash[]): Uint8Array {
  checkCount(hashes.length);
  return concatBytes(...hashes);
}

/** Reads a tile. @throws EvidenceError `tile-invalid` unless it holds 1 to 256 whole hashes */
export function decodeTile(bytes: Uint8Array): Hash[] {
  if (bytes.length % 32 !== 0) throw invalid(`a tile of ${bytes.length} bytes does not hold whole hashes`);
  checkCount(bytes.length / 32);
  return Array.from({ length: bytes.length / 32 }, (_, i) => asHash(bytes.subarray(32 * i, 32 * i + 32)));
}

/**
 * Writes up to 256 entries as a bundle.
 *
 * @throws EvidenceError `entry-too-large`, or `tile-invalid` for none or too many
 */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  checkCount(entries.length);
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const entry of entries) {
    if (entry.length > maxEntrySize) {
      throw new EvidenceError("entry-too-large", `an entry of ${entry.length} bytes is over ${maxEntrySize}`);
    }
    view.setUint16(at, entry.length);
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/**
 * Reads a bundle. The entries are views of its bytes.
 *
 * @throws EvidenceError `tile-invalid` if it is cut short, empty or has more than 256 entries
 */
export function decodeEntryBundle(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + 2;
    const end = start > bytes.length ? Number.NaN : start + view.getUint16(at);
    if (!(end <= bytes.length)) throw invalid(`the entry bundle is cut short in its entry ${entries.length}`);
    entries.push(bytes.subarray(start, end));
    if (entries.length > tileWidth) break;
    at = end;
  }
  checkCount(entries.length);
  return entries;
}

function checkCount(count: number): void {
  if (count < 1 || count > tileWidth) throw invalid(`a tile or entry bundle holds 1 to ${tileWidth}, not ${count}`);
}

function invalid(why: string): EvidenceError {
  return new EvidenceError("tile-invalid", why);
}
