import type { ContentDigest } from "../storage/content-digest.ts";

/**
 * Which digests were seen, in 16 to 32 bytes each: 16 MB for a million. It compares the first 64 bits. Two of a million differ only behind
 * them with a chance of one in 30 million; and a registry that makes two alike on purpose hides nothing by it that it could not
 * have left out.
 */
export class DigestSet {
  #slots = new Uint32Array(2 * 1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Whether it was new. */
  add(digest: ContentDigest): boolean {
    const hex = digest.slice(digest.indexOf(":") + 1);
    // Two zeros are an empty slot.
    const high = Number.parseInt(hex.slice(0, 8), 16) || 1;
    const added = place(this.#slots, high, Number.parseInt(hex.slice(8, 16), 16));
    if (added) this.#size += 1;
    if (this.#size * 4 > this.#slots.length) this.#grow();
    return added;
  }

  #grow(): void {
    const wider = new Uint32Array(this.#slots.length * 2);
    for (let i = 0; i < this.#slots.length; i += 2) {
      if (this.#slots[i] !== 0) place(wider, this.#slots[i]!, this.#slots[i + 1]!);
    }
    this.#slots = wider;
  }
}

/** Open addressing: a value lies in the first free slot from the one that its bits name. */
function place(slots: Uint32Array, high: number, low: number): boolean {
  const count = slots.length / 2;
  for (let slot = low % count; ; slot = (slot + 1) % count) {
    if (slots[2 * slot] === 0) {
      slots[2 * slot] = high;
      slots[2 * slot + 1] = low;
      return true;
    }
    if (slots[2 * slot] === high && slots[2 * slot + 1] === low) return false;
  }
}
