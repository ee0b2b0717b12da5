import { asHash, type Hash } from "@tally/evidence";
import { HASH_BYTES } from "./layout.ts";

/** A growing list of hashes in one buffer: 32 bytes a hash, whatever the number. */
export class HashColumn {
  #bytes = new Uint8Array(HASH_BYTES * 4);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(hash: Uint8Array): void {
    const at = this.#length * HASH_BYTES;
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(hash, at);
    this.#length += 1;
  }

  at(index: number): Hash {
    return asHash(this.#bytes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES));
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }
}
