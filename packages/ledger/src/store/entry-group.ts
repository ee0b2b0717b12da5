import { type HashText, hashLeafText, type LeafHash, putHash } from "@tally/evidence";
import { checkEntry } from "./frames.ts";
import { HASH_BYTES } from "./layout.ts";

const FIRST_BYTES = 16 * 1024;
const FIRST_ENTRIES = 128;

/**
 * Entries that become durable together, laid out as they are written: framed like the journal, their leaf hashes like level 0
 * of the tree. An entry is copied once, when it is added, and nothing else is made for it: an array for each entry and each
 * hash cost more than to hash them, most of it when they were collected (measured).
 */
export class EntryGroup {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;
  #level0 = new Uint8Array(FIRST_ENTRIES * HASH_BYTES);
  #ends = new Float64Array(FIRST_ENTRIES);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Length of `bytes`. */
  get length(): number {
    return this.#length;
  }

  /** `u16 BE length ‖ entry`, one after another. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The leaf hashes, one after another. */
  get level0(): Uint8Array {
    return this.#level0.subarray(0, this.#count * HASH_BYTES);
  }

  /** Where each entry ends in `bytes`. */
  get ends(): Float64Array {
    return this.#ends.subarray(0, this.#count);
  }

  /** Copies the entry and gives its leaf hash. LedgerError `entry-too-large`. */
  add(entry: Uint8Array): HashText {
    const at = this.#copy(entry);
    const leaf = hashLeafText(entry);
    putHash(leaf, this.#level0, at);
    return leaf;
  }

  /** The same where the leaf hash is known. */
  addHashed(entry: Uint8Array, leaf: LeafHash): void {
    const at = this.#copy(entry);
    this.#level0.set(leaf, at);
  }

  /** Where in `level0` its leaf hash belongs. */
  #copy(entry: Uint8Array): number {
    checkEntry(entry);
    const end = this.#length + 2 + entry.length;
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, end);
    if (this.#count === this.#ends.length) this.#growCount();
    this.#bytes[this.#length] = entry.length >> 8;
    this.#bytes[this.#length + 1] = entry.length & 0xff;
    this.#bytes.set(entry, this.#length + 2);
    this.#ends[this.#count] = end;
    this.#length = end;
    this.#count += 1;
    return (this.#count - 1) * HASH_BYTES;
  }

  #growCount(): void {
    const ends = new Float64Array(this.#ends.length * 2);
    ends.set(this.#ends);
    this.#ends = ends;
    this.#level0 = grown(this.#level0, ends.length * HASH_BYTES);
  }
}

function grown(bytes: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(bytes.length * 2, least));
  larger.set(bytes);
  return larger;
}
