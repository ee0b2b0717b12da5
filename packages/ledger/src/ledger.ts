import {
  type Checkpoint,
  equalBytes,
  type Hash,
  hashLeaf,
  type LeafHash,
  type NoteSigner,
  signCheckpoint,
} from "@tally/evidence";
import {
  checkFreshNote,
  faultOfNote,
  readCheckpointFile,
  type SignedCheckpoint,
  writeCheckpointFile,
} from "./checkpoint-file.ts";
import { type Clock, systemClock } from "./clock.ts";
import { CommitQueue } from "./commit-queue.ts";
import { LedgerError } from "./error.ts";
import { type Files, type FolderLock, nodeFiles } from "./files/index.ts";
import { keepReserve, releaseReserve } from "./reserve.ts";
import { checkEntry } from "./store/frames.ts";
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

/** An entry's place, assigned when it was appended. */
export interface Appended {
  readonly index: number;
  readonly leaf: LeafHash;
  /** Resolves when the entry is durable. */
  readonly committed: Promise<void>;
}

/**
 * A ledger that this process writes and signs. The order is fixed: entries durable, then a checkpoint over at most the durable size
 * signed, then the checkpoint durable, then it is handed out.
 *
 * Reads see committed entries only. With `damage` set it can be read and never appends or signs again.
 */
export class Ledger extends ProvingLog {
  readonly origin: string;
  readonly damage: Damage | undefined;
  readonly #options: Required<Omit<LedgerOptions, "origin" | "maxQueued" | "reserve">>;
  readonly #lock: FolderLock;
  readonly #store: LogStore;
  readonly #queue: CommitQueue;
  #latest: SignedCheckpoint | undefined;
  #nextIndex: number;
  #sealing: Promise<SignedCheckpoint> | undefined;
  #nextSeal: Promise<SignedCheckpoint> | undefined;
  #failure: LedgerError | undefined;
  #closed = false;

  private constructor(
    options: Required<Omit<LedgerOptions, "origin" | "reserve">>,
    lock: FolderLock,
    store: LogStore,
    latest: SignedCheckpoint | undefined,
    damage: Damage | undefined,
  ) {
    super();
    this.origin = store.origin;
    this.damage = damage;
    this.#options = options;
    this.#lock = lock;
    this.#store = store;
    this.#latest = latest;
    this.#nextIndex = store.size;
    this.#queue = new CommitQueue(async ({ entries, leaves }) => {
      if (this.#failure !== undefined) throw this.#failure;
      await store.append(entries, leaves);
    }, options.maxQueued);
  }

  /**
   * Takes the folder, recovers, and is ready to append. LedgerError `locked`, `wrong-origin` or `format-unknown`; damage does
   * not throw, see `damage`.
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const { dir, origin, signers } = options;
    const {
      files = nodeFiles,
      clock = systemClock,
      checkpointTime = "zero",
      maxQueued = 8192,
      reserve = "keep",
    } = options;
    await files.makeDirectory(dir);
    const lock = await files.lock(dir);
    try {
      if (reserve === "use") await releaseReserve(files, dir);
      const latest = await readLatest(files, dir, origin, signers);
      const sealed = latest.signed?.checkpoint;
      // A checkpoint that does not hold is damage of its own: nothing is cut on its word.
      const mode = latest.fault === undefined ? "write" : "read";
      const store = await LogStore.open({ dir, origin, files, mode, ...(sealed && { sealed }) });
      const damage = latest.fault === undefined ? store.damage : { index: 0, what: latest.fault };
      if (reserve === "keep" && damage === undefined) await keepReserve(files, dir, RESERVE_BYTES);
      const all = { dir, signers, files, clock, checkpointTime, maxQueued };
      return new Ledger(all, lock, store, latest.signed, damage);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Entries that are durable: what can be read, proven and signed. */
  get size(): number {
    return this.#store.size;
  }

  get committedSize(): number {
    return this.#store.size;
  }

  /** Entries that have an index, durable or not: the index the next one gets. */
  get nextIndex(): number {
    return this.#nextIndex;
  }

  /** The newest checkpoint this ledger signed. */
  get latest(): SignedCheckpoint | undefined {
    return this.#latest;
  }

  /**
   * Assigns the next index, now, and queues the entry; `committed` resolves when it is durable, for many entries at once. Throws
   * LedgerError `entry-too-large`, `queue-full`, `damaged`, `write-failed` or `closed`, and then no index is consumed.
   */
  append(entry: Uint8Array): Appended {
    this.#checkWritable();
    checkEntry(entry);
    const own = entry.slice();
    const leaf = hashLeaf(own);
    const committed = this.#queue.push(own, leaf);
    const index = this.#nextIndex;
    this.#nextIndex += 1;
    return { index, leaf, committed };
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
    if (this.#sealing === undefined) {
      const sealing = this.#seal();
      this.#sealing = sealing;
      const done = () => {
        this.#sealing = undefined;
      };
      sealing.then(done, done);
      return sealing;
    }
    if (this.#nextSeal === undefined) {
      const again = () => {
        this.#nextSeal = undefined;
        return this.seal();
      };
      this.#nextSeal = this.#sealing.then(again, again);
    }
    return this.#nextSeal;
  }

  /** Commits what is queued and lets go of the folder. Rejects when that failed; the folder is released all the same. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await Promise.allSettled([this.#sealing, this.#nextSeal]);
      if (this.damage === undefined) await this.#queue.drained();
    } finally {
      await this.#store.close().finally(() => this.#lock.release());
    }
  }

  entries(from: number, to: number): AsyncIterable<Uint8Array> {
    return this.#store.entries(from, to);
  }

  node(level: number, index: number): Promise<Hash> {
    return this.#store.node(level, index);
  }

  async #seal(): Promise<SignedCheckpoint> {
    this.#checkWritable();
    const { files, dir, signers, clock, checkpointTime } = this.#options;
    await this.#queue.drained();
    const size = this.#store.size;
    const last = this.#latest;
    if (last?.checkpoint.size === size) return last;
    if (signers.length === 0) {
      throw new LedgerError("signing-refused", `${this.origin} was opened without signers`);
    }
    if (last !== undefined && !equalBytes(await this.#store.root(last.checkpoint.size), last.checkpoint.root)) {
      throw new LedgerError("signing-refused", `${this.origin} no longer has the root that was signed`);
    }
    const checkpoint: Checkpoint = Object.freeze({ origin: this.origin, size, root: await this.#store.root(size) });
    await this.#orFail(() => this.#store.seal(size, checkpoint.root));
    const time = checkpointTime === "zero" ? 0 : Math.floor(clock.now() / 1000);
    const note = await signCheckpoint(checkpoint, [...signers], time);
    checkFreshNote(note, checkpoint, signers);
    await this.#orFail(() => writeCheckpointFile(files, dir, note));
    this.#latest = Object.freeze({ checkpoint, note });
    return this.#latest;
  }

  /** What fails here leaves the disk's state unknown: nothing is acknowledged any more. */
  async #orFail(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#failure = new LedgerError("write-failed", `sealing ${this.origin} failed: ${reason}`, {
        cause,
        hint: "make room or repair the disk, then open the ledger again",
      });
      throw this.#failure;
    }
  }

  #checkWritable(): void {
    if (this.#closed) throw new LedgerError("closed", `the ledger ${this.origin} is closed`);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.damage === undefined) return;
    throw new LedgerError("damaged", `the ledger ${this.origin} is damaged: ${this.damage.what}`, {
      hint: "keep the folder as it is; a device goes on in a new epoch",
    });
  }
}

async function readLatest(
  files: Files,
  dir: string,
  origin: string,
  signers: readonly NoteSigner[],
): Promise<{ signed?: SignedCheckpoint; fault?: string }> {
  let signed: SignedCheckpoint | undefined;
  try {
    signed = await readCheckpointFile(files, dir);
  } catch (error) {
    if (error instanceof Error && error.name === "EvidenceError") {
      return { fault: `the stored checkpoint cannot be read: ${error.message}` };
    }
    throw error;
  }
  if (signed === undefined) return {};
  if (signed.checkpoint.origin !== origin) {
    throw new LedgerError("wrong-origin", `${dir} holds the ledger ${signed.checkpoint.origin}, not ${origin}`, {
      hint: "use that origin, or another folder",
    });
  }
  const fault = faultOfNote(signed.note, signers);
  return fault === undefined ? { signed } : { signed, fault: `the stored checkpoint does not verify: ${fault}` };
}
