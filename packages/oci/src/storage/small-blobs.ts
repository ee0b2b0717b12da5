import type { ContentDigest } from "./content-digest.ts";

/** Larger ones are not kept: reading them costs more than finding them. */
const largestKept = 64 * 1024;

/**
 * The small blobs that were read last, checked against their digests, in at most so many bytes. What a digest names never changes,
 * so the only thing to be told of is a deletion.
 */
export class SmallBlobs {
  readonly #most: number;
  readonly #kept = new Map<ContentDigest, Uint8Array>();
  #bytes = 0;
  #deletions = 0;

  /** @param most bytes; 0 keeps nothing */
  constructor(most: number) {
    this.#most = most;
  }

  get(digest: ContentDigest): Uint8Array | undefined {
    const bytes = this.#kept.get(digest);
    if (bytes === undefined) return undefined;
    this.#kept.delete(digest);
    this.#kept.set(digest, bytes);
    return bytes;
  }

  /** Asked before a blob is read: what is then kept under the answer was not deleted in between. */
  get deletions(): number {
    return this.#deletions;
  }

  keep(digest: ContentDigest, bytes: Uint8Array, deletions: number): void {
    if (bytes.length > Math.min(largestKept, this.#most) || deletions !== this.#deletions || this.#kept.has(digest))
      return;
    this.#kept.set(digest, bytes);
    this.#bytes += bytes.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#most) return;
      this.#drop(oldest);
    }
  }

  /** Called when a blob is being deleted, and again when it is gone: what was erased is not served from memory. */
  forget(digest: ContentDigest): void {
    this.#deletions += 1;
    this.#drop(digest);
  }

  #drop(digest: ContentDigest): void {
    this.#bytes -= this.#kept.get(digest)?.length ?? 0;
    this.#kept.delete(digest);
  }
}
