import { equalBytes, hashLeaf, type LeafHash } from "@tally/evidence";
import type { OpenFile } from "../files/index.ts";
import { unframe } from "./frames.ts";
import {
  COMMIT_BYTES,
  concatHashes,
  decodeMark,
  MAX_COMMIT_ENTRIES,
  MAX_COMMIT_LENGTH,
  type Mark,
  nextMark,
} from "./layout.ts";
import { ReadAhead } from "./read-ahead.ts";

/** A commit whose checksum holds: its leaves, and where each entry ends in the journal. */
export interface ScannedCommit {
  readonly before: Mark;
  readonly after: Mark;
  readonly leaves: readonly LeafHash[];
  readonly ends: readonly number[];
}

/** Where a scan stopped: after the last commit that held, or at the first that did not. */
export interface ScanEnd {
  /** After the last good commit. */
  readonly mark: Mark;
  /** Records up to there, and in the file. */
  readonly good: number;
  readonly records: number;
  /** Why the next record does not hold; undefined at the end of the file. */
  readonly fault: string | undefined;
}

/** Re-hashes the journal commit by commit from `mark`, the state after `good` records, until one does not hold. */
export async function scanCommits(
  entries: OpenFile,
  commits: OpenFile,
  from: { mark: Mark; good: number },
  onCommit: (commit: ScannedCommit) => Promise<void> | void,
): Promise<ScanEnd> {
  const records = Math.floor((await commits.size()) / COMMIT_BYTES);
  const journal = new ReadAhead(entries);
  const checksums = new ReadAhead(commits, 64 * 1024);
  let { mark, good } = from;
  while (good < records) {
    const record = await checksums.take(good * COMMIT_BYTES, COMMIT_BYTES);
    if (record === undefined) return { mark, good, records, fault: "its checksum record is missing" };
    const scanned = await scanCommit(journal, mark, decodeMark(record));
    if (scanned.fault !== undefined) return { mark, good, records, fault: scanned.fault };
    await onCommit(scanned);
    mark = scanned.after;
    good += 1;
  }
  return { mark, good, records, fault: undefined };
}

/** Re-hashes the commit that claims to end at `claimed`; its leaves are given as far as its bytes can be split into entries. */
export async function scanCommit(
  journal: ReadAhead,
  before: Mark,
  claimed: Mark,
): Promise<ScannedCommit & { fault: string | undefined }> {
  const bad = (fault: string) => ({ before, after: claimed, leaves: [], ends: [], fault });
  const length = claimed.offset - before.offset;
  const count = claimed.index - before.index;
  if (!(count > 0 && count <= MAX_COMMIT_ENTRIES && length >= 2 * count && length <= MAX_COMMIT_LENGTH)) {
    return bad("its checksum record is not one");
  }
  const bytes = await journal.take(before.offset, length);
  if (bytes === undefined) return bad("the journal ends within it");
  const entries = unframe(bytes, count + 1);
  if (entries === undefined || entries.length !== count) return bad("its entries do not add up to its length");
  const leaves = entries.map(hashLeaf);
  let end = before.offset;
  const ends = entries.map((entry) => {
    end += 2 + entry.length;
    return end;
  });
  const after = nextMark(before, claimed.index, claimed.offset, concatHashes(leaves));
  const fault = equalBytes(after.chain, claimed.chain) ? undefined : "its bytes do not match its checksum";
  return { before, after: claimed, leaves, ends, fault };
}

/** The last record that ends at or before entry `index`, by halving; the start of the log when there is none. */
export async function markAtOrBefore(
  commits: OpenFile,
  index: number,
  start: Mark,
): Promise<{ mark: Mark; good: number }> {
  let low = 0;
  let high = Math.floor((await commits.size()) / COMMIT_BYTES);
  let found = { mark: start, good: 0 };
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const mark = await readMark(commits, middle);
    if (mark.index <= index && mark.index > 0) {
      found = { mark, good: middle + 1 };
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return found;
}

export async function readMark(commits: OpenFile, record: number): Promise<Mark> {
  const bytes = new Uint8Array(COMMIT_BYTES);
  await commits.read(bytes, record * COMMIT_BYTES);
  return decodeMark(bytes);
}
