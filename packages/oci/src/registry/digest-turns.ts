import type { BlobStore } from "../storage/blob-store.ts";
import type { ContentDigest } from "../storage/content-digest.ts";

/**
 * One step at a time for each digest of a blob store: saying that a repository holds a blob, and removing bytes that no repository
 * holds, each look first and act then. Also counts what was added to each repository, for whoever looked at it a while ago.
 */
export class DigestTurns {
  readonly #last = new Map<ContentDigest, Promise<unknown>>();
  readonly #added = new Map<string, number>();

  take<T>(digest: ContentDigest, step: () => Promise<T>): Promise<T> {
    const before = this.#last.get(digest) ?? Promise.resolve();
    const done = before.then(step);
    const settled = done.then(
      () => {},
      () => {},
    );
    this.#last.set(digest, settled);
    void settled.then(() => {
      if (this.#last.get(digest) === settled) this.#last.delete(digest);
    });
    return done;
  }

  /**
   * How often a manifest or tag was added to the repository since the process began. Counted within the transaction that adds, so
   * that one which compares the count knows of each addition that was committed before it.
   */
  additions(repository: string): number {
    return this.#added.get(repository) ?? 0;
  }

  noteAddition(repository: string): void {
    this.#added.set(repository, this.additions(repository) + 1);
  }
}

const ofStore = new WeakMap<BlobStore, DigestTurns>();

/** The turns of a store: registries of one process that share a store share them. */
export function turnsOf(blobs: BlobStore): DigestTurns {
  const known = ofStore.get(blobs) ?? new DigestTurns();
  ofStore.set(blobs, known);
  return known;
}
