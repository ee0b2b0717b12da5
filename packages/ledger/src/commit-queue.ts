import type { LeafHash } from "@tally/evidence";
import { LedgerError } from "./error.ts";

export interface Queued {
  readonly entries: Uint8Array[];
  readonly leaves: LeafHash[];
}

interface Batch extends Queued {
  bytes: number;
  readonly committed: PromiseWithResolvers<void>;
}

/** A batch that is waiting is not made longer than this, so that one write stays small. */
const BATCH_ENTRIES = 4096;
const BATCH_BYTES = 4 * 1024 * 1024;

/** Bytes that may wait, whatever the number of entries. */
const QUEUE_BYTES = 64 * 1024 * 1024;

/**
 * Group commit: while one batch is being written and synced, what arrives gathers into the next. All entries of a batch share
 * one promise, so waiting costs nothing per entry.
 */
export class CommitQueue {
  readonly #write: (batch: Queued) => Promise<void>;
  readonly #most: number;
  readonly #waiting: Batch[] = [];
  #writing: Batch | undefined;
  #entries = 0;
  #bytes = 0;
  #failure: { readonly reason: unknown } | undefined;

  /** `write` makes a batch durable. After it rejects once, everything queued and everything later gets the same reason. */
  constructor(write: (batch: Queued) => Promise<void>, most: number) {
    this.#write = write;
    this.#most = most;
  }

  /** Entries that are queued or being written. */
  get length(): number {
    return this.#entries;
  }

  /** Queues one entry, which must not be changed afterwards; LedgerError `queue-full`. The promise is of its batch. */
  push(entry: Uint8Array, leaf: LeafHash): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.reason;
    if (this.#entries >= this.#most || this.#bytes + entry.length > QUEUE_BYTES) {
      throw new LedgerError("queue-full", `${this.#entries} entries (${this.#bytes} bytes) are waiting for the disk`, {
        hint: "wait for earlier entries to be committed before appending more",
      });
    }
    const batch = this.#batchFor(entry.length);
    batch.entries.push(entry);
    batch.leaves.push(leaf);
    batch.bytes += entry.length;
    this.#entries += 1;
    this.#bytes += entry.length;
    return batch.committed.promise;
  }

  /** Resolves when all that is queued now is durable; rejects when a write has failed. */
  async drained(): Promise<void> {
    await (this.#waiting.at(-1) ?? this.#writing)?.committed.promise;
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  #batchFor(bytes: number): Batch {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.entries.length < BATCH_ENTRIES && last.bytes + bytes <= BATCH_BYTES) return last;
    const batch: Batch = { entries: [], leaves: [], bytes: 0, committed: Promise.withResolvers<void>() };
    // Who waits for a batch sees its failure; that nobody waits (release mode `immediate`) is no error.
    batch.committed.promise.catch(() => {});
    this.#waiting.push(batch);
    // Not at once: what the caller appends in the same turn belongs into the same commit.
    if (this.#writing === undefined && this.#waiting.length === 1) queueMicrotask(() => void this.#run());
    return batch;
  }

  async #run(): Promise<void> {
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      this.#writing = batch;
      try {
        if (this.#failure !== undefined) throw this.#failure.reason;
        await this.#write(batch);
        batch.committed.resolve();
      } catch (reason) {
        this.#failure = { reason };
        batch.committed.reject(reason);
      }
      this.#writing = undefined;
      this.#entries -= batch.entries.length;
      this.#bytes -= batch.bytes;
    }
  }
}
