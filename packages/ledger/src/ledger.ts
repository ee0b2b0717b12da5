import type { Hash, NoteSigner } from "@tally/evidence";
import { readOwnCheckpoint, type SignedCheckpoint } from "./checkpoint-file.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Appended, CommitQueue } from "./commit-queue.ts";
import { LedgerError } from "./error.ts";
import { type Files, type FolderLock, nodeFiles } from "./files/index.ts";
import { keepReserve, releaseReserve } from "./reserve.ts";
import { Sealer } from "./sealer.ts";
import { SharedTurn } from "./shared-turn.ts";
import type { EntryGroup } from "./store/entry-group.ts";
import { LogStore } from "./store/log-store.ts";
import { ProvingLog } from "./store/proving-log.ts";
import type { Damage } from "./store/recover.ts";

export interface LedgerOptions {
  /** Folder of this ledger alone; created when absent. */
  readonly dir: string;
  readonly origin: string;
  /** Everyone who signs its checkpoints: each checkpoint carries all their signatures. */
  readonly signers: readonly NoteSigner[];
  readonly files?: Files;
  readonly clock?: Clock;
  /**
   * The time in type-06 signatures: `zero` for a device, whose signature never counts as time; `clock` for the plane.
   * Default `zero`.
   */
  readonly checkpointTime?: "zero" | "clock";
  /** Entries that may wait for the disk. Default 8192. */
  readonly maxQueued?: number;
  /**
   * `keep` (default) sets 64 KiB of the disk aside. `use` gives them back: to open after LedgerError `write-failed` for want of
   * room, and append what says so.
   */
  readonly reserve?: "keep" | "use";
}

/** Room for some hundred gap and event entries. */
const RESERVE_BYTES = 64 * 1024;

/**
 * A ledger that this process writes and signs. The order is fixed: entries durable, then a checkpoint over at most the durable size
 * signed, then the checkpoint durable, then it is handed out.
 *
 * Reads see committed entries only. With `damage` set it can be read and never appends or signs again.
 */
export class Ledger extends ProvingLog {
  readonly origin: string;
  readonly #options: LedgerOptions;
  readonly #lock: FolderLock;
  readonly #seals: SharedTurn<SignedCheckpoint>;
  #parts: Parts;
  #queue: CommitQueue;
  #recovering: Promise<void> | undefined;
  #closed = false;
  #stopped: string | undefined;

  private constructor(options: LedgerOptions, lock: FolderLock, parts: Parts) {
    super();
    this.origin = parts.store.origin;
    this.#options = options;
    this.#lock = lock;
    this.#parts = parts;
    this.#queue = queueOf(parts, options);
    this.#seals = new SharedTurn(async () => {
      await this.flush();
      if (this.#stopped !== undefined) {
        throw new LedgerError("signing-refused", `${this.origin} signs nothing any more: ${this.#stopped}`);
      }
      return this.#parts.sealer.seal();
    });
  }

  /**
   * Takes the folder, recovers, and is ready to append. LedgerError `locked`, `wrong-origin` or `format-unknown`; damage does
   * not throw, see `damage`.
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const { dir, files = nodeFiles } = options;
    await files.makeDirectory(dir);
    const lock = await files.lock(dir);
    try {
      return new Ledger(options, lock, await openParts(options));
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Set when stored entries or the checkpoint do not hold. */
  get damage(): Damage | undefined {
    return this.#parts.damage;
  }

  /** Set when a write failed: nothing is acknowledged until `recover`, or until the ledger is opened again. */
  get failure(): LedgerError | undefined {
    return this.#parts.sealer.failure ?? this.#parts.store.failure;
  }

  /**
   * Goes on after a failed write, without letting go of the folder: opens the files again, which finds out what was written. An entry
   * whose `committed` rejected may be there or not, as `size` tells. `use` gives the reserve back first, so that a full disk can be told of.
   *
   * Rejects with the system's error when the disk still fails, or LedgerError `damaged`; the ledger then stays as it was.
   */
  recover(reserve: "keep" | "use" = "keep"): Promise<void> {
    this.#recovering ??= this.#recover(reserve).finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  /** Sets the reserve aside again; false when there is no room for it yet. */
  keepReserve(): Promise<boolean> {
    const { dir, files = nodeFiles } = this.#options;
    return keepReserve(files, dir, RESERVE_BYTES);
  }

  async #recover(reserve: "keep" | "use"): Promise<void> {
    if (this.#closed) throw new LedgerError("closed", `the ledger ${this.origin} is closed`);
    await this.#seals.idle().catch(() => {});
    await this.#queue.drained().catch(() => {});
    if (this.failure === undefined) return;
    const failed = this.#parts.store;
    const parts = await openParts({ ...this.#options, reserve });
    this.#parts = parts;
    this.#queue = queueOf(parts, this.#options);
    // What it could still say of itself is of no interest: its files were read anew.
    await failed.close().catch(() => {});
    this.#checkWritable();
  }

  /** Entries that are durable: what can be read, proven and signed. */
  get size(): number {
    return this.#parts.store.size;
  }

  get committedSize(): number {
    return this.#parts.store.size;
  }

  /** Entries that have an index, durable or not: the index the next one gets. */
  get nextIndex(): number {
    return this.#queue.nextIndex;
  }

  /** The newest checkpoint this ledger signed. */
  get latest(): SignedCheckpoint | undefined {
    return this.#parts.sealer.latest;
  }

  /**
   * Assigns the next index, now, and queues the entry; `committed` resolves when it is durable, for many entries at once. Throws
   * LedgerError `entry-too-large`, `queue-full`, `damaged`, `write-failed` or `closed`, and then no index is consumed.
   */
  append(entry: Uint8Array): Appended {
    this.#checkWritable();
    return this.#queue.push(entry);
  }

  /** Resolves when everything appended so far is durable. */
  async flush(): Promise<void> {
    this.#checkWritable();
    await this.#queue.drained();
  }

  /**
   * Commits what is queued, signs a checkpoint over it with all signers and resolves when the note is durable. The same size gives
   * the same note again. Callers that arrive while one is being signed share the next.
   */
  seal(): Promise<SignedCheckpoint> {
    return this.#seals.next();
  }

  /** Signs nothing from now on: `seal` rejects with LedgerError `signing-refused`. Appending goes on. */
  stopSigning(why: string): void {
    this.#stopped = why;
  }

  get signingStopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** Commits what is queued and lets go of the folder. Rejects when that failed; the folder is released all the same. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#seals.idle();
      if (this.damage === undefined) await this.#queue.drained();
    } finally {
      await this.#parts.store.close().finally(() => this.#lock.release());
    }
  }

  entries(from: number, to: number): AsyncIterable<Uint8Array> {
    return this.#parts.store.entries(from, to);
  }

  node(level: number, index: number): Promise<Hash> {
    return this.#parts.store.node(level, index);
  }

  #checkWritable(): void {
    if (this.#closed) throw new LedgerError("closed", `the ledger ${this.origin} is closed`);
    const { failure } = this.#parts.sealer;
    if (failure !== undefined) throw failure;
    if (this.damage === undefined) return;
    throw new LedgerError("damaged", `the ledger ${this.origin} is damaged: ${this.damage.what}`, {
      hint: "keep the folder as it is; a device goes on in a new epoch",
    });
  }
}

/** What is opened again after a failed write. */
interface Parts {
  readonly store: LogStore;
  readonly sealer: Sealer;
  readonly damage: Damage | undefined;
}

async function openParts(options: LedgerOptions): Promise<Parts> {
  const { dir, origin, signers, files = nodeFiles, clock = systemClock } = options;
  const { checkpointTime = "zero", reserve = "keep" } = options;
  if (reserve === "use") await releaseReserve(files, dir);
  const latest = await readOwnCheckpoint(files, dir, origin, signers);
  const sealed = latest.signed?.checkpoint;
  // A checkpoint that does not hold is damage of its own: nothing is cut on its word.
  const mode = latest.fault === undefined ? "write" : "read";
  const store = await LogStore.open({ dir, origin, files, mode, ...(sealed && { sealed }) });
  const damage = latest.fault === undefined ? store.damage : { index: 0, what: latest.fault };
  try {
    if (reserve === "keep" && damage === undefined) await keepReserve(files, dir, RESERVE_BYTES);
  } catch (error) {
    await store.close();
    throw error;
  }
  const sealer = new Sealer({ dir, files, signers, clock, checkpointTime }, store, latest.signed);
  return { store, sealer, damage };
}

function queueOf({ store, sealer }: Parts, { maxQueued = 8192 }: LedgerOptions): CommitQueue {
  const commit = (group: EntryGroup) => {
    if (sealer.failure !== undefined) throw sealer.failure;
    return store.appendGroup(group);
  };
  return new CommitQueue(store.size, commit, maxQueued);
}
