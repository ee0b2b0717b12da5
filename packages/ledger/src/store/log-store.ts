import { equalBytes, type Hash, type LeafHash, type RootHash } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import { type Files, nodeFiles } from "../files/index.ts";
import { commitRanges } from "./commit-ranges.ts";
import { markAtOrBefore } from "./commit-scan.ts";
import { encodeTiles } from "./derived.ts";
import { EntryGroup } from "./entry-group.ts";
import { checkEntry } from "./frames.ts";
import {
  COMMIT_BYTES,
  encodeMark,
  type Mark,
  nextMark,
  startMark,
  TILE_BYTES,
  TILE_RECORD_BYTES,
  TILE_WIDTH,
} from "./layout.ts";
import { ProvingLog } from "./proving-log.ts";
import { type Damage, NOTHING_SEALED, recover, type Sealed } from "./recover.ts";
import { claimFolder, closeStoreFiles, openStoreFiles, readOrigin, type StoreFiles } from "./store-files.ts";
import { StoredTree } from "./stored-tree.ts";
import type { TreeTip } from "./tree-tip.ts";

export interface LogStoreOptions {
  /** Folder of this log alone; created when absent. */
  readonly dir: string;
  readonly origin: string;
  readonly files?: Files;
  /**
   * The size and root last vouched for (signed, or verified against a signed note). Anything missing or altered below it
   * is damage; beyond it a torn tail is cut.
   */
  readonly sealed?: Sealed;
  /** `read` repairs and cuts nothing and refuses writes. Default `write`. */
  readonly mode?: "read" | "write";
}

/** Entries as they are written: what an `EntryGroup` is. */
export interface LaidOutEntries {
  readonly count: number;
  /** `u16 BE length ‖ entry`, one after another. */
  readonly bytes: Uint8Array;
  /** Their leaf hashes, one after another. */
  readonly level0: Uint8Array;
  /** Where each entry ends in `bytes`. */
  readonly ends: ArrayLike<number>;
  /** Roots of tiles that they complete, by the tile's number, where they are known. */
  readonly roots?: ReadonlyMap<number, Hash>;
}

/**
 * A log on disk: what a ledger and a mirror share. It takes no lock and signs nothing; see layout.ts for its files.
 *
 * Opening recovers (see recover.ts). With `damage` set the log stays readable below it and refuses to grow. After a failed write
 * or fsync it refuses to grow until it is opened again.
 */
export class LogStore extends ProvingLog {
  readonly origin: string;
  readonly damage: Damage | undefined;
  readonly #open: StoreFiles;
  readonly #writable: boolean;
  readonly #tip: TreeTip;
  readonly #tree: StoredTree;
  #mark: Mark;
  #records: number;
  #sealed: Sealed;
  #turn: Promise<unknown> = Promise.resolve();
  #failure: LedgerError | undefined;
  #closed = false;

  private constructor(
    origin: string,
    open: StoreFiles,
    writable: boolean,
    sealed: Sealed,
    recovered: Awaited<ReturnType<typeof recover>>,
  ) {
    super();
    this.origin = origin;
    this.damage = recovered.damage;
    this.#open = open;
    this.#writable = writable;
    this.#sealed = sealed;
    this.#tip = recovered.tip;
    this.#mark = recovered.mark;
    this.#records = recovered.records;
    this.#tree = new StoredTree(open, recovered.tip, () => this.#mark.offset);
  }

  /** LedgerError `wrong-origin` or `format-unknown` when the folder is not this log's. Damage does not throw: see `damage`. */
  static async open(options: LogStoreOptions): Promise<LogStore> {
    const { dir, origin, files = nodeFiles, sealed = NOTHING_SEALED, mode = "write" } = options;
    if (mode === "write") await claimFolder(files, dir, origin);
    else if ((await readOrigin(files, dir)) !== origin) {
      throw new LedgerError("wrong-origin", `${dir} does not hold the log ${origin}`);
    }
    const open = await openStoreFiles(files, dir, mode);
    try {
      const recovered = await recover(open, origin, sealed, mode === "write");
      return new LogStore(origin, open, mode === "write", sealed, recovered);
    } catch (error) {
      await closeStoreFiles(open);
      throw error;
    }
  }

  get size(): number {
    return this.#mark.index;
  }

  /** Set when a write failed: the disk's state is unknown until the log is opened again. */
  get failure(): LedgerError | undefined {
    return this.#failure;
  }

  /**
   * Appends; resolved means durable. Commits that fit one checksum are atomic: after a crash they are whole or absent.
   * `leaves` are the entries' leaf hashes, one each, where the caller has them. Calls run one after another.
   */
  append(entries: readonly Uint8Array[], leaves?: readonly LeafHash[]): Promise<void> {
    return this.#exclusive(async () => {
      this.#checkWritable();
      for (const entry of entries) checkEntry(entry);
      for (const [from, to] of commitRanges(entries)) {
        const group = new EntryGroup();
        for (let i = from; i < to; i += 1) {
          if (leaves === undefined) group.add(entries[i]!);
          else group.addHashed(entries[i]!, leaves[i]!);
        }
        await this.#attempt("append", () => this.#commit(group));
      }
    });
  }

  /** Appends a group, which is within the bounds of a commit, in one. */
  appendGroup(group: LaidOutEntries): Promise<void> {
    return this.#exclusive(async () => {
      this.#checkWritable();
      await this.#attempt("append", () => this.#commit(group));
    });
  }

  /** Cuts the log back to its first `size` entries, durably; LedgerError `out-of-range` below the sealed size. */
  truncate(size: number): Promise<void> {
    return this.#exclusive(async () => {
      this.#checkWritable();
      if (!(Number.isSafeInteger(size) && size >= this.#sealed.size && size <= this.size)) {
        const span = `${this.#sealed.size} to ${this.size}`;
        throw new LedgerError("out-of-range", `cannot cut ${this.origin} to ${size}; possible is ${span}`);
      }
      if (size < this.size) await this.#attempt("truncate", () => this.#cut(size));
    });
  }

  /**
   * To be called before a new size is vouched for: checks that `root` is this log's at `size`, and makes hashes and tiles
   * durable too, so that opening need not compute them again. LedgerError `out-of-range` or `signing-refused`.
   */
  seal(size: number, root: RootHash): Promise<void> {
    return this.#exclusive(async () => {
      this.#checkWritable();
      this.within(size);
      if (size < this.#sealed.size || !equalBytes(await this.root(size), root)) {
        throw new LedgerError("signing-refused", `size ${size} of ${this.origin} with that root is not this log`);
      }
      const { hashes, tiles } = this.#open;
      await this.#attempt("sync", async () => {
        await hashes.write(this.#tip.tail, this.#tip.fullTiles * TILE_BYTES);
        await allDone([hashes.sync(), tiles.sync()]);
      });
      this.#sealed = { size, root };
    });
  }

  /** Waits for what was begun. The log's entries are durable already. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turn.catch(() => {});
    await closeStoreFiles(this.#open);
  }

  entries(from: number, to: number): AsyncIterable<Uint8Array> {
    this.within(to, from);
    return this.#tree.entries(from, to);
  }

  async node(level: number, index: number): Promise<Hash> {
    this.within((index + 1) * 2 ** level, index);
    return this.#tree.node(level, index);
  }

  /** Hashes are written by whole tiles: a small commit then takes two files, not four. */
  async #commit({ count, bytes, level0, ends, roots }: LaidOutEntries): Promise<void> {
    const { index, offset } = this.#mark;
    const mark = nextMark(this.#mark, index + count, offset + bytes.length, level0);
    const extension = this.#tip.extendBy(level0, ends, offset, roots);

    const { entries: journal, commits, hashes, tiles } = this.#open;
    const { fullTiles } = this.#tip;
    // Each file goes its way by itself: to wait for both writes before either is synced took a third more CPU (measured).
    const writes = [
      journal.write(bytes, offset).then(() => journal.sync()),
      commits.write(encodeMark(mark), this.#records * COMMIT_BYTES).then(() => commits.sync()),
    ];
    if (extension.full.length > 0) {
      writes.push(hashes.write(extension.filled, fullTiles * TILE_BYTES));
      writes.push(tiles.write(encodeTiles(extension.full), fullTiles * TILE_RECORD_BYTES));
    }
    await allDone(writes);
    this.#tip.apply(extension);
    this.#mark = mark;
    this.#records += 1;
  }

  /** Each step leaves a log that recovery reads as whole: first the later commits go, then the last is shortened, then the bytes. */
  async #cut(size: number): Promise<void> {
    const { entries: journal, commits, hashes, tiles } = this.#open;
    const before = await markAtOrBefore(commits, size, startMark(this.origin));
    let { mark, good: records } = before;
    if (mark.index < size) {
      mark = nextMark(mark, size, await this.#tree.endOf(size - 1), await this.#tree.level0(mark.index, size));
      records += 1;
    }
    const full = Math.floor(size / TILE_WIDTH);
    const tail = await this.#tree.level0(full * TILE_WIDTH, size);

    await commits.truncate(records * COMMIT_BYTES);
    await commits.sync();
    if (records > before.good) {
      await commits.write(encodeMark(mark), before.good * COMMIT_BYTES);
      await commits.sync();
    }
    await journal.truncate(mark.offset);
    await hashes.truncate(full * TILE_BYTES);
    await tiles.truncate(full * TILE_RECORD_BYTES);
    await allDone([journal.sync(), hashes.sync(), tiles.sync()]);
    this.#tip.reset(full, tail);
    this.#tree.forget();
    this.#mark = mark;
    this.#records = records;
  }

  #exclusive<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act, act);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #attempt(what: string, act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (cause) {
      if (cause instanceof LedgerError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#failure = new LedgerError("write-failed", `${what} on ${this.origin} failed: ${reason}`, {
        cause,
        hint: "make room or repair the disk, then open the log again: opening checks what was written",
      });
      throw this.#failure;
    }
  }

  #checkWritable(): void {
    if (this.#closed) throw new LedgerError("closed", `${this.origin} is closed`);
    if (this.damage !== undefined) {
      throw new LedgerError("damaged", `${this.origin} is damaged: ${this.damage.what}`, {
        hint: "keep the folder as it is; a device goes on in a new epoch",
      });
    }
    if (!this.#writable) throw new LedgerError("read-only", `${this.origin} was opened for reading`);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Waits for all, also when one fails: nothing may still be writing when the failure is reported. */
async function allDone(writes: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(writes)) {
    if (result.status === "rejected") throw result.reason;
  }
}
