/**
 * Proves a stored log whole: every entry is hashed again and compared with its commit's checksum, its leaf hash, its tile's root
 * and the sealed root. Changes nothing. This is the slow counterpart of recovery, and the one that finds everything.
 */
import { equalBytes } from "@tally/evidence";
import { type Files, nodeFiles } from "../files/index.ts";
import { type ScannedCommit, scanCommit } from "./commit-scan.ts";
import { encodeTiles } from "./derived.ts";
import {
  COMMIT_BYTES,
  COMMITS_FILE,
  concatHashes,
  decodeMark,
  ENTRIES_FILE,
  HASH_BYTES,
  HASHES_FILE,
  startMark,
  TILE_RECORD_BYTES,
  TILES_FILE,
} from "./layout.ts";
import { ReadAhead } from "./read-ahead.ts";
import { NOTHING_SEALED, type Sealed } from "./recover.ts";
import { closeStoreFiles, openStoreFiles, type StoreFiles } from "./store-files.ts";
import { TreeTip } from "./tree-tip.ts";

/** One thing wrong: in which file of the folder, and what. */
export interface CheckProblem {
  readonly where: string;
  readonly what: string;
}

export interface LogCheck {
  /** Entries under good checksums from the first on. */
  readonly size: number;
  /** Bytes behind them that an interrupted write left and that opening cuts. No problem. */
  readonly tornBytes: number;
  readonly problems: readonly CheckProblem[];
}

/** Enough to see what is wrong; a log of which everything is wrong gives no longer list. */
const MOST_PROBLEMS = 100;

export async function checkLog(options: {
  readonly dir: string;
  readonly origin: string;
  readonly sealed?: Sealed;
  readonly files?: Files;
}): Promise<LogCheck> {
  const { dir, origin, sealed = NOTHING_SEALED, files = nodeFiles } = options;
  const open = await openStoreFiles(files, dir, "read");
  try {
    return await new Check(open, sealed).run(origin);
  } finally {
    await closeStoreFiles(open);
  }
}

class Check {
  readonly #open: StoreFiles;
  readonly #sealed: Sealed;
  readonly #hashes: ReadAhead;
  readonly #tiles: ReadAhead;
  readonly #tip = new TreeTip();
  readonly #problems: CheckProblem[] = [];
  /** Whether the tree holds all entries so far: not after a commit whose entries cannot be told apart. */
  #whole = true;
  #sealSeen = false;

  constructor(open: StoreFiles, sealed: Sealed) {
    this.#open = open;
    this.#sealed = sealed;
    this.#hashes = new ReadAhead(open.hashes);
    this.#tiles = new ReadAhead(open.tiles);
  }

  async run(origin: string): Promise<LogCheck> {
    const journal = new ReadAhead(this.#open.entries);
    const checksums = new ReadAhead(this.#open.commits, 64 * 1024);
    const records = Math.floor((await this.#open.commits.size()) / COMMIT_BYTES);
    let mark = startMark(origin);
    let good: number | undefined;
    this.#compareRoot();
    for (let record = 0; record < records; record += 1) {
      const bytes = await checksums.take(record * COMMIT_BYTES, COMMIT_BYTES);
      const commit = await scanCommit(journal, mark, decodeMark(bytes ?? new Uint8Array(COMMIT_BYTES)));
      if (commit.fault !== undefined) {
        const last = record === records - 1 && mark.index >= this.#sealed.size;
        if (last) break;
        good ??= mark.index;
        await this.#report(commit, commit.fault);
        if (commit.after.index <= mark.index || commit.after.offset <= mark.offset) break;
      }
      await this.#take(commit);
      mark = commit.after;
    }
    const size = good ?? mark.index;
    if (mark.index < this.#sealed.size) {
      this.#problem(ENTRIES_FILE, `ends after entry ${mark.index - 1}; ${this.#sealed.size} entries were sealed`);
    } else if (!this.#sealSeen && good === undefined) {
      this.#problem(COMMITS_FILE, `the sealed size ${this.#sealed.size} was never reached`);
    }
    const tornBytes = Math.max(0, (await this.#open.entries.size()) - mark.offset);
    return Object.freeze({ size, tornBytes, problems: Object.freeze(this.#problems) });
  }

  /** Names the very entries that differ, where the stored leaf hashes tell. */
  async #report({ before, after, leaves }: ScannedCommit, fault: string): Promise<void> {
    let named = false;
    for (const [i, leaf] of leaves.entries()) {
      const stored = await this.#hashes.take((before.index + i) * HASH_BYTES, HASH_BYTES);
      if (stored === undefined || equalBytes(stored, leaf)) continue;
      named = true;
      this.#problem(ENTRIES_FILE, `entry ${before.index + i} does not match its leaf hash`);
    }
    if (named) return;
    const span = `entries ${before.index} to ${after.index - 1}`;
    this.#problem(COMMITS_FILE, `the commit from entry ${before.index} on (${span}) does not hold: ${fault}`);
  }

  async #take({ before, after, leaves, ends }: ScannedCommit): Promise<void> {
    if (leaves.length === 0) this.#whole = false;
    if (!this.#whole) return;
    // What follows from the entries is durable only up to the sealed size; beyond, opening computes it anew.
    const durable = after.index <= this.#sealed.size;
    const level0 = concatHashes(leaves);
    const storedHashes = await this.#hashes.take(before.index * HASH_BYTES, level0.length);
    if (durable && !(storedHashes && equalBytes(storedHashes, level0))) {
      this.#problem(HASHES_FILE, `leaf hashes ${before.index} to ${after.index - 1} are not those of the entries`);
    }
    const below = Math.min(Math.max(0, this.#sealed.size - before.index), leaves.length);
    const tilesBefore = this.#tip.fullTiles;
    const first = this.#tip.extend(leaves.slice(0, below), ends.slice(0, below));
    this.#tip.apply(first);
    this.#compareRoot();
    const second = this.#tip.extend(leaves.slice(below), ends.slice(below));
    this.#tip.apply(second);
    const records = encodeTiles([...first.full, ...second.full]);
    const storedTiles = await this.#tiles.take(tilesBefore * TILE_RECORD_BYTES, records.length);
    if (durable && !(storedTiles && equalBytes(storedTiles, records))) {
      this.#problem(TILES_FILE, `tiles ${tilesBefore} to ${this.#tip.fullTiles - 1} are not those of the entries`);
    }
  }

  #compareRoot(): void {
    if (this.#sealSeen || this.#tip.size !== this.#sealed.size) return;
    this.#sealSeen = true;
    if (equalBytes(this.#tip.root(), this.#sealed.root)) return;
    this.#problem(ENTRIES_FILE, `the first ${this.#sealed.size} entries do not hash to the sealed root`);
  }

  #problem(where: string, what: string): void {
    if (this.#problems.length < MOST_PROBLEMS) this.#problems.push(Object.freeze({ where, what }));
  }
}
