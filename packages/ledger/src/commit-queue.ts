import { type HashText, hashFromText, type LeafHash } from "@tally/evidence";
import { LedgerError } from "./error.ts";
import { EntryGroup } from "./store/entry-group.ts";
import { checkEntry } from "./store/frames.ts";

/** An entry's place, assigned when it was appended. */
export interface Appended {
  readonly index: number;
  readonly leaf: LeafHash;
  /** Resolves when the entry is durable. */
  readonly committed: Promise<void>;
}

interface Batch {
  readonly group: EntryGroup;
  readonly committed: PromiseWithResolvers<void>;
}

/** A batch that is waiting is not made longer than this: one write stays small, and so do the nodes that are hashed in one turn. */
const BATCH_ENTRIES = 1024;
const BATCH_BYTES = 4 * 1024 * 1024;

/** Bytes that may wait, whatever the number of entries. */
const QUEUE_BYTES = 64 * 1024 * 1024;

/**
 * Group commit: while one batch is being written and synced, what arrives gathers into the next. All entries of a batch share
 * one promise and one pair of buffers, so waiting costs hardly anything per entry. Indices are given here, as entries are taken.
 */
export class CommitQueue {
  readonly #write: (group: EntryGroup) => Promise<void>;
  readonly #most: number;
  readonly #waiting: Batch[] = [];
  #nextIndex: number;
  #writing: Batch | undefined;
  #entries = 0;
  #bytes = 0;
  #failure: { readonly reason: unknown } | undefined;

  /** `write` makes a group durable. After it rejects once, everything queued and everything later gets the same reason. */
  constructor(nextIndex: number, write: (group: EntryGroup) => Promise<void>, most: number) {
    this.#nextIndex = nextIndex;
    this.#write = write;
    this.#most = most;
  }

  /** The index that the next entry gets. */
  get nextIndex(): number {
    return this.#nextIndex;
  }

  /** Queues a copy of the entry. LedgerError `entry-too-large` or `queue-full`, and then it has no index. */
  push(entry: Uint8Array): Appended {
    if (this.#failure !== undefined) throw this.#failure.reason;
    checkEntry(entry);
    if (this.#entries >= this.#most || this.#bytes + entry.length > QUEUE_BYTES) {
      throw new LedgerError("queue-full", `${this.#entries} entries (${this.#bytes} bytes) are waiting for the disk`, {
        hint: "wait for earlier entries to be committed before appending more",
      });
    }
    const { group, committed } = this.#batchFor(entry.length);
    const leaf = group.add(entry);
    this.#entries += 1;
    this.#bytes += entry.length + 2;
    const index = this.#nextIndex;
    this.#nextIndex += 1;
    return new QueuedEntry(index, leaf, committed.promise);
  }

  /** Resolves when all that is queued now is durable; rejects when a write has failed. */
  async drained(): Promise<void> {
    await (this.#waiting.at(-1) ?? this.#writing)?.committed.promise;
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  #batchFor(bytes: number): Batch {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.group.count < BATCH_ENTRIES && last.group.length + bytes <= BATCH_BYTES) return last;
    const batch: Batch = { group: new EntryGroup(), committed: Promise.withResolvers<void>() };
    // Who waits for a batch sees its failure; that nobody waits (release mode `immediate`) is no error.
    batch.committed.promise.catch(() => {});
    this.#waiting.push(batch);
    // Not at once: what is appended in the same turn of the event loop belongs into the same commit.
    if (this.#writing === undefined && this.#waiting.length === 1) setImmediate(() => void this.#run());
    return batch;
  }

  async #run(): Promise<void> {
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      this.#writing = batch;
      try {
        if (this.#failure !== undefined) throw this.#failure.reason;
        await this.#write(batch.group);
        batch.committed.resolve();
      } catch (reason) {
        this.#failure = { reason };
        batch.committed.reject(reason);
      }
      this.#writing = undefined;
      this.#entries -= batch.group.count;
      this.#bytes -= batch.group.length;
    }
  }
}

/** Holds its leaf hash as text and makes bytes of it for those who ask: most do not. */
class QueuedEntry implements Appended {
  readonly index: number;
  readonly committed: Promise<void>;
  readonly #leaf: HashText;

  constructor(index: number, leaf: HashText, committed: Promise<void>) {
    this.index = index;
    this.committed = committed;
    this.#leaf = leaf;
  }

  get leaf(): LeafHash {
    return hashFromText(this.#leaf) as LeafHash;
  }
}
