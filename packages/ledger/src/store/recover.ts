/**
 * Opening a log after whatever happened to it.
 *
 * The journal is re-hashed from a little below the sealed size to its end, commit by commit, and the tree is checked against
 * the sealed root. What follows from the entries (hashes, tiles) is repaired. Of the journal itself only a torn tail is cut: the
 * last commit, when its checksum does not hold and nothing was committed after it. Anything else is damage.
 */
import { emptyRoot, equalBytes, type RootHash } from "@tally/evidence";
import { markAtOrBefore, type ScanEnd, type ScannedCommit, scanCommits } from "./commit-scan.ts";
import { DerivedOutput, encodeTiles, loadTip } from "./derived.ts";
import { COMMIT_BYTES, encodeMark, HASH_BYTES, type Mark, startMark, TILE_RECORD_BYTES, TILE_WIDTH } from "./layout.ts";
import type { StoreFiles } from "./store-files.ts";
import { TreeTip } from "./tree-tip.ts";

export interface Sealed {
  readonly size: number;
  readonly root: RootHash;
}

/** What is wrong with stored entries, and from where on. */
export interface Damage {
  /** The first entry that is missing or altered, as far as is known. */
  readonly index: number;
  readonly what: string;
}

export interface Recovered {
  readonly tip: TreeTip;
  readonly mark: Mark;
  readonly records: number;
  readonly damage: Damage | undefined;
}

export const NOTHING_SEALED: Sealed = Object.freeze({ size: 0, root: emptyRoot });

/** Entries below the sealed size that opening re-hashes too: where a disk that lied about a sync would show. */
const RECHECKED_BELOW_SEAL = 8192;

/** `repair` false: changes nothing on disk. */
export async function recover(open: StoreFiles, origin: string, sealed: Sealed, repair: boolean): Promise<Recovered> {
  const start = { mark: startMark(origin), good: 0 };
  const from = await markAtOrBefore(open.commits, Math.max(0, sealed.size - RECHECKED_BELOW_SEAL), start.mark);
  const tip = await loadTip(open, from.mark.index);
  let replayed = await replay(open, tip ?? new TreeTip(), tip ? from : start, sealed, repair);
  if (from.good > 0 && !rootHolds(replayed, sealed))
    replayed = await replay(open, new TreeTip(), start, sealed, repair);

  const damage = await findDamage(open, replayed, sealed);
  if (damage === undefined && repair) {
    await rewriteLastCommit(open, replayed);
    await cutTail(open, replayed);
  }
  return { tip: replayed.tip, mark: replayed.end.mark, records: replayed.end.good, damage };
}

interface Replayed {
  readonly tip: TreeTip;
  readonly end: ScanEnd;
  /** Undefined when the log does not reach the sealed size. */
  readonly rootAtSeal: RootHash | undefined;
  /** The last commit that held, unless it lies far below the sealed size. */
  readonly last: ScannedCommit | undefined;
}

async function replay(
  open: StoreFiles,
  tip: TreeTip,
  from: { mark: Mark; good: number },
  sealed: Sealed,
  repair: boolean,
): Promise<Replayed> {
  const hashes = new DerivedOutput(open.hashes, tip.size * HASH_BYTES, repair);
  const tiles = new DerivedOutput(open.tiles, tip.fullTiles * TILE_RECORD_BYTES, repair);
  let rootAtSeal = tip.size === sealed.size ? tip.root() : undefined;
  let last: ScannedCommit | undefined;
  const take = async ({ leaves, ends }: Pick<ScannedCommit, "leaves" | "ends">) => {
    const extension = tip.extend(leaves, ends);
    tip.apply(extension);
    if (tip.size === sealed.size) rootAtSeal = tip.root();
    await tiles.put(encodeTiles(extension.full));
    for (const leaf of leaves) await hashes.put(leaf);
  };
  const end = await scanCommits(open.entries, open.commits, from, async (commit) => {
    const { leaves, ends } = commit;
    last = commit;
    const below = Math.min(Math.max(0, sealed.size - tip.size), leaves.length);
    await take({ leaves: leaves.slice(0, below), ends: ends.slice(0, below) });
    await take({ leaves: leaves.slice(below), ends: ends.slice(below) });
  });
  await hashes.flush();
  await tiles.flush();
  return { tip, end, rootAtSeal, last };
}

function rootHolds({ rootAtSeal }: Replayed, sealed: Sealed): boolean {
  return rootAtSeal !== undefined && equalBytes(rootAtSeal, sealed.root);
}

async function findDamage(open: StoreFiles, replayed: Replayed, sealed: Sealed): Promise<Damage | undefined> {
  const { mark, good, records, fault } = replayed.end;
  if (mark.index < sealed.size) {
    const index = await lastReadable(open, replayed);
    return {
      index,
      what: `entry ${index} is missing or altered below the sealed size ${sealed.size}: ${fault ?? "the journal ends"}`,
    };
  }
  if (!rootHolds(replayed, sealed)) {
    return { index: 0, what: `the first ${sealed.size} entries do not hash to the sealed root` };
  }
  if (fault !== undefined && good + 1 < records) {
    return {
      index: mark.index,
      what: `the commit at entry ${mark.index} does not hold though later ones were made: ${fault}`,
    };
  }
  return undefined;
}

/** Where the scan stopped, or the first tile that the journal is too short for. */
async function lastReadable(open: StoreFiles, { tip, end }: Replayed): Promise<number> {
  const length = await open.entries.size();
  if (length >= end.mark.offset) return end.mark.index;
  let tile = tip.fullTiles;
  while (tile > 0 && tip.tileStart(tile) > length) tile -= 1;
  return tile * TILE_WIDTH;
}

/**
 * After a failed fsync the system may hold pages that it believes written and that the disk never got: they read well, and the
 * next fsync says nothing. Only the last commit can be such; written again, it is synced in earnest.
 */
async function rewriteLastCommit(open: StoreFiles, { end, last }: Replayed): Promise<void> {
  if (last === undefined) return;
  const bytes = new Uint8Array(last.after.offset - last.before.offset);
  await open.entries.read(bytes, last.before.offset);
  await open.entries.write(bytes, last.before.offset);
  await open.commits.write(encodeMark(last.after), (end.good - 1) * COMMIT_BYTES);
}

async function cutTail(open: StoreFiles, { tip, end }: Replayed): Promise<void> {
  const lengths = [
    [open.entries, end.mark.offset],
    [open.commits, end.good * COMMIT_BYTES],
    [open.hashes, tip.size * HASH_BYTES],
    [open.tiles, tip.fullTiles * TILE_RECORD_BYTES],
  ] as const;
  for (const [file, length] of lengths) {
    if ((await file.size()) !== length) await file.truncate(length);
    await file.sync();
  }
}
