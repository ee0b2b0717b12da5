/**
 * Proves a stored log whole: every entry is hashed again and compared with its commit's checksum, its leaf hash, its tile's root
 * and the signed roots. Changes nothing. This is the slow counterpart of recovery, and the one that finds everything.
 *
 * Three files tell of the same entries (`entries`, `commits`, `hashes`), so that where one differs the other two say which.
 */
import { equalBytes, hashLeaf, type LeafHash } from "@tally/evidence";
import { type Files, nodeFiles } from "../files/index.ts";
import { readMark, type ScannedCommit, scanCommit } from "../store/commit-scan.ts";
import {
  COMMIT_BYTES,
  COMMITS_FILE,
  concatHashes,
  ENTRIES_FILE,
  HASH_BYTES,
  HASHES_FILE,
  MAX_COMMIT_ENTRIES,
  MAX_COMMIT_LENGTH,
  type Mark,
  nextMark,
  startMark,
} from "../store/layout.ts";
import { ReadAhead } from "../store/read-ahead.ts";
import { closeStoreFiles, openStoreFiles, STORE_FILE_NAMES, type StoreFiles } from "../store/store-files.ts";
import { Problems } from "./problem.ts";
import { TreeCheck, type Vouched } from "./tree-check.ts";

export interface LogCheck {
  /** Entries that hold, from the first on. */
  readonly size: number;
  /** Bytes behind the last commit that an interrupted write left and that opening cuts. No problem. */
  readonly tornBytes: number;
}

/** Entries that are hashed together where no checksums tell how they were committed. */
const CHUNK = 4096;

/** `sealed`: the entries up to there must be whole, with what follows from them. `problems` takes what is found. */
export async function checkLog(options: {
  readonly dir: string;
  readonly origin: string;
  readonly sealed: number;
  readonly vouched: readonly Vouched[];
  readonly problems: Problems;
  readonly files?: Files;
}): Promise<LogCheck> {
  const { dir, origin, sealed, vouched, problems, files = nodeFiles } = options;
  const names = await files.list(dir);
  const own = new Problems();
  for (const name of sealed > 0 ? STORE_FILE_NAMES : []) if (!names.includes(name)) own.add(name, "is missing");
  const open = await openStoreFiles(files, dir, "read");
  try {
    const check = new LogWalk(open, sealed, new TreeCheck(open, sealed, vouched, own), own);
    const found = await check.run(origin);
    const missing = new Set(own.all.filter(({ what }) => what === "is missing").map(({ where }) => where));
    // Of a file that is missing, nothing else need be said.
    for (const { where, what, ...place } of own.all) {
      if (what === "is missing" || !missing.has(where)) problems.add(where, what, place);
    }
    return found;
  } finally {
    await closeStoreFiles(open);
  }
}

class LogWalk {
  readonly #open: StoreFiles;
  readonly #sealed: number;
  readonly #tree: TreeCheck;
  readonly #problems: Problems;
  readonly #journal: ReadAhead;
  /** The first entry that does not hold. */
  #bad: number | undefined;
  /** The tree cannot go on: entries are gone and their leaf hashes too. */
  #lost = false;

  constructor(open: StoreFiles, sealed: number, tree: TreeCheck, problems: Problems) {
    this.#open = open;
    this.#sealed = sealed;
    this.#tree = tree;
    this.#problems = problems;
    this.#journal = new ReadAhead(open.entries);
  }

  async run(origin: string): Promise<LogCheck> {
    const records = Math.floor((await this.#open.commits.size()) / COMMIT_BYTES);
    const journalSize = await this.#open.entries.size();
    let mark = startMark(origin);
    let record = 0;
    while (record < records && !this.#lost) {
      const commit = await this.#scan(record, mark);
      if (commit.fault === undefined) {
        await this.#take(commit.leaves, commit.ends, true);
        mark = commit.after;
        record += 1;
        continue;
      }
      if (record === records - 1 && mark.index >= this.#sealed) break;
      const next = await this.#explain(record, records, mark, commit, journalSize);
      if (next === undefined) break;
      ({ mark, record } = next);
    }
    if (mark.index < this.#sealed && !this.#lost) mark = await this.#withoutChecksums(mark, record, journalSize);
    const size = this.#bad ?? mark.index;
    return Object.freeze({ size, tornBytes: this.#lost ? 0 : Math.max(0, journalSize - mark.offset) });
  }

  async #scan(record: number, before: Mark): Promise<ScannedCommit & { fault: string | undefined }> {
    return scanCommit(this.#journal, before, await readMark(this.#open.commits, record));
  }

  async #take(leaves: readonly LeafHash[], ends: readonly number[], certain: boolean): Promise<void> {
    if (!this.#lost) await this.#tree.take(leaves, ends, certain);
  }

  /** A commit that does not hold: which of the files is wrong, and where the walk goes on; undefined when commits lead no further. */
  async #explain(
    record: number,
    records: number,
    before: Mark,
    commit: ScannedCommit & { fault: string | undefined },
    journalSize: number,
  ): Promise<{ mark: Mark; record: number } | undefined> {
    const { after, leaves } = commit;
    if (leaves.length > 0) return { mark: await this.#compareThree(record, commit), record: record + 1 };
    // The entries may well be whole up to the end of the next commit: then this record's numbers are what was changed.
    const joined = record + 1 < records ? await this.#scan(record + 1, before) : undefined;
    if (joined !== undefined && joined.leaves.length > 0) {
      this.#badRecord(record, before.index);
      await this.#take(joined.leaves, joined.ends, true);
      return { mark: joined.after, record: record + 2 };
    }
    if (!isPlausible(before, after) || after.offset > journalSize) return undefined;
    return { mark: await this.#compareFrames(record, commit, journalSize), record: record + 1 };
  }

  /** The bytes split into the right number of entries, and the checksum does not fit: entries or checksum? The leaf hashes tell. */
  async #compareThree(record: number, { before, after, leaves, ends }: ScannedCommit): Promise<Mark> {
    const stored = await this.#tree.stored(before.index, after.index);
    const different = leaves.flatMap((leaf, i) => (stored && !equalBytes(stored[i]!, leaf) ? [i] : []));
    const fits = (hashes: readonly LeafHash[]) =>
      equalBytes(nextMark(before, after.index, after.offset, concatHashes(hashes)).chain, after.chain);
    if (stored !== undefined && different.length > 0 && fits(stored)) {
      for (const i of different) this.#badEntry(before.index + i, i === 0 ? before.offset : ends[i - 1]!);
      await this.#take(stored, ends, false);
      return after;
    }
    const computed = nextMark(before, after.index, after.offset, concatHashes(leaves));
    if (stored !== undefined && different.length === 0) {
      this.#badRecord(record, before.index);
      await this.#take(leaves, ends, true);
      return computed;
    }
    // Neither agrees with the other two. What the next checksum builds on decides.
    const next = await scanCommit(this.#journal, computed, await readMark(this.#open.commits, record + 1));
    if (next.fault === undefined) {
      this.#badRecord(record, before.index);
      await this.#take(leaves, ends, true);
      return computed;
    }
    this.#bad ??= before.index;
    const span = `entries ${before.index} to ${after.index - 1}`;
    this.#problems.add(ENTRIES_FILE, `${span} match neither their checksum nor their leaf hashes`, {
      entry: before.index,
      offset: before.offset,
    });
    await this.#take(leaves, ends, false);
    return after;
  }

  /** The bytes do not split into the right number of entries: a length was changed, or the record's own numbers. Leaf hashes tell. */
  async #compareFrames(record: number, { before, after }: ScannedCommit, journalSize: number): Promise<Mark> {
    const stored = await this.#tree.stored(before.index, Math.max(after.index, before.index));
    const leaves: LeafHash[] = [];
    const ends: number[] = [];
    let at = before.offset;
    while (before.index + leaves.length < after.index && at !== after.offset) {
      const next = await this.#frameAt(at, journalSize);
      const leaf = next && hashLeaf(next.entry);
      const [known] = stored
        ? [stored[leaves.length]!]
        : ((await this.#tree.stored(before.index + leaves.length, before.index + leaves.length + 1)) ?? []);
      if (next === undefined || known === undefined || !equalBytes(leaf!, known)) {
        await this.#damaged(before, after, { entry: before.index + leaves.length, offset: at }, stored);
        return after;
      }
      leaves.push(known);
      ends.push(next.end);
      at = next.end;
    }
    this.#badRecord(record, before.index);
    await this.#take(leaves, ends, true);
    return nextMark(before, before.index + leaves.length, at, concatHashes(leaves));
  }

  /** An entry in [before, after) has another length than it had; what follows it cannot be told apart. */
  async #damaged(
    before: Mark,
    after: Mark,
    place: { entry: number; offset: number },
    stored: LeafHash[] | undefined,
  ): Promise<void> {
    this.#bad ??= place.entry;
    const what = `entry ${place.entry} was altered: the lengths from there to entry ${after.index - 1} do not add up`;
    this.#problems.add(ENTRIES_FILE, what, place);
    if (stored === undefined) this.#lost = true;
    if (stored === undefined) return;
    const { chain } = nextMark(before, after.index, after.offset, concatHashes(stored));
    if (!equalBytes(chain, after.chain)) {
      const at = { entry: before.index, offset: before.index * HASH_BYTES };
      this.#problems.add(
        HASHES_FILE,
        `leaf hashes ${before.index} to ${after.index - 1} do not match their checksum`,
        at,
      );
    }
    await this.#take(stored, new Array(stored.length).fill(after.offset), false);
  }

  /** Goes on where the checksums end, by the lengths in the journal: leaf hashes and the signed root say whether that is right. */
  async #withoutChecksums(from: Mark, record: number, journalSize: number): Promise<Mark> {
    let { index, offset } = from;
    const records = Math.floor((await this.#open.commits.size()) / COMMIT_BYTES);
    const gone = await this.#isShort(from, journalSize);
    if (!gone && record < records) this.#badRecord(record, index);
    if (!gone && record >= records) {
      const at = record * COMMIT_BYTES;
      const last = index === 0 ? "" : ` after entry ${index - 1}`;
      this.#problems.add(COMMITS_FILE, `ends${last} at byte ${at}; ${this.#sealed} entries are signed`, {
        entry: index,
        offset: at,
      });
    }
    while (index < this.#sealed) {
      const leaves: LeafHash[] = [];
      const ends: number[] = [];
      let end = offset;
      while (leaves.length < CHUNK && index + leaves.length < this.#sealed) {
        const next = await this.#frameAt(end, journalSize);
        if (next === undefined) break;
        leaves.push(hashLeaf(next.entry));
        end = next.end;
        ends.push(end);
      }
      const stored = await this.#tree.stored(index, index + leaves.length);
      const wrong = leaves.findIndex((leaf, i) => stored !== undefined && !equalBytes(stored[i]!, leaf));
      if (wrong >= 0) {
        this.#badEntry(index + wrong, wrong === 0 ? offset : ends[wrong - 1]!);
        this.#lost = true;
        break;
      }
      await this.#take(leaves, ends, stored !== undefined);
      index += leaves.length;
      offset = end;
      if (leaves.length === 0) {
        this.#bad ??= index;
        const rest = index === this.#sealed - 1 ? `entry ${index}` : `entries ${index} to ${this.#sealed - 1}`;
        this.#problems.add(ENTRIES_FILE, `ends at byte ${journalSize}: ${rest} of ${this.#sealed} signed are missing`, {
          entry: index,
          offset: journalSize,
        });
        this.#lost = true;
        break;
      }
    }
    return { ...from, index, offset };
  }

  /** Whether the journal itself ends before the signed size: then the checksums beyond it are not what is missing. */
  async #isShort({ index, offset }: Mark, journalSize: number): Promise<boolean> {
    let at = offset;
    for (let i = index; i < this.#sealed; i += 1) {
      const next = await this.#frameAt(at, journalSize);
      if (next === undefined) return true;
      at = next.end;
    }
    return false;
  }

  async #frameAt(at: number, journalSize: number): Promise<{ entry: Uint8Array; end: number } | undefined> {
    if (at + 2 > journalSize) return undefined;
    const [high, low] = (await this.#journal.take(at, 2)) ?? [];
    const end = at + 2 + (((high ?? 0) << 8) | (low ?? 0));
    if (end > journalSize) return undefined;
    const bytes = await this.#journal.take(at, end - at);
    return bytes && { entry: bytes.subarray(2), end };
  }

  #badEntry(entry: number, offset: number): void {
    this.#bad ??= entry;
    this.#problems.add(ENTRIES_FILE, `entry ${entry} does not match its leaf hash`, { entry, offset });
  }

  #badRecord(record: number, entry: number): void {
    this.#problems.add(COMMITS_FILE, `the checksum of the commit from entry ${entry} on does not hold`, {
      entry,
      offset: record * COMMIT_BYTES,
    });
  }
}

/** Whether a record's numbers can be those of a commit. */
function isPlausible(before: Mark, after: Mark): boolean {
  const count = after.index - before.index;
  const length = after.offset - before.offset;
  return count > 0 && count <= MAX_COMMIT_ENTRIES && length >= 2 * count && length <= MAX_COMMIT_LENGTH;
}
