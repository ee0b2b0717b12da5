/** Small copies lie side by side in pieces of this size. */
const SLAB_BYTES = 64 * 1024;
const LARGEST = 4096;

/**
 * Copies of what callers hand over and may change afterwards. Memory of its own for each would cost more than to copy it, most of
 * it when it is collected (measured), so small ones share a slab, which goes when the last of them does.
 */
export class KeptCopies {
  #slab = new Uint8Array(0);
  #used = 0;

  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length > LARGEST) return bytes.slice();
    if (this.#used + bytes.length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    const own = this.#slab.subarray(this.#used, this.#used + bytes.length);
    own.set(bytes);
    this.#used += bytes.length;
    return own;
  }
}
