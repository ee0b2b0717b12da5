import { equalBytes, fromUtf8 } from "../bytes.ts";
import { beginReading, readHead, readingAt } from "../cbor/read-canonical.ts";
import { parseEntries, sliceLength } from "./member.ts";

/**
 * A slice of a ledger as it lies in its member: where each entry begins and ends, without copies. One is used again for
 * each member of a ledger; answers have them in their tens of thousands.
 */
export class EntriesView {
  origin = "";
  /** Index of the first entry. */
  from = 0;
  length = 0;
  bytes: Uint8Array = new Uint8Array();
  readonly starts = new Uint32Array(sliceLength);
  readonly ends = new Uint32Array(sliceLength);
  #originBytes: Uint8Array = new Uint8Array();

  /** Reads the member with these bytes. @throws EvidenceError for all that `parseEntries` refuses. */
  open(bytes: Uint8Array): void {
    if (!this.#read(bytes)) {
      parseEntries(bytes);
      throw new TypeError("entries that one reader takes and the other refuses");
    }
  }

  #read(bytes: Uint8Array): boolean {
    this.bytes = bytes;
    beginReading(bytes);
    if (readHead(4) !== 3) return false;
    const originLength = readHead(3);
    const originAt = readingAt();
    if (originLength < 0 || originAt + originLength > bytes.length) return false;
    if (!this.#name(bytes.subarray(originAt, originAt + originLength))) return false;
    beginReading(bytes, originAt + originLength);
    this.from = readHead(0);
    this.length = readHead(4);
    if (this.from < 0 || this.length < 1 || this.length > sliceLength) return false;
    for (let i = 0; i < this.length; i += 1) {
      const length = readHead(2);
      const start = readingAt();
      if (length < 0 || start + length > bytes.length) return false;
      this.starts[i] = start;
      this.ends[i] = start + length;
      beginReading(bytes, start + length);
    }
    return readingAt() === bytes.length;
  }

  /** The same text again for the same bytes: a ledger's name stands in each of its members. */
  #name(bytes: Uint8Array): boolean {
    if (equalBytes(bytes, this.#originBytes)) return true;
    try {
      this.origin = fromUtf8(bytes);
    } catch {
      return false;
    }
    this.#originBytes = bytes.slice();
    return true;
  }
}
