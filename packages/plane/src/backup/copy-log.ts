import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";

/** A commit of a log's journal: where it ends. */
interface Commit {
  readonly index: number;
  readonly offset: number;
}

const commitBytes = 32;
const hashBytes = 32;
const tileBytes = 40;
const tileWidth = 256;

/** Up to where the files of a log belong together. */
export interface LogCut {
  /** Entries. */
  readonly size: number;
  /** Bytes of each file. */
  readonly lengths: Readonly<Record<"commits" | "entries" | "hashes" | "tiles", number>>;
}

/**
 * Where to cut the files of a log that is being written: behind the last commit whose entries are there. What was acknowledged
 * before is below it, since a commit is durable before it is acknowledged. Read the log's checkpoint first, and it is too.
 */
export async function cutOf(dir: string): Promise<LogCut> {
  const commits = await open(join(dir, "commits"), "r");
  try {
    const whole = Math.floor((await commits.stat()).size / commitBytes);
    const present = (await stat(join(dir, "entries"))).size;
    for (let n = whole; n > 0; n -= 1) {
      const { index, offset } = await commitAt(commits, n - 1);
      if (offset > present) continue;
      const tiles = Math.floor(index / tileWidth) * tileBytes;
      const lengths = { commits: n * commitBytes, entries: offset, hashes: index * hashBytes, tiles };
      return { size: index, lengths };
    }
    return { size: 0, lengths: { commits: 0, entries: 0, hashes: 0, tiles: 0 } };
  } finally {
    await commits.close();
  }
}

async function commitAt(file: FileHandle, n: number): Promise<Commit> {
  const record = Buffer.alloc(16);
  await file.read(record, 0, 16, n * commitBytes);
  return { index: Number(record.readBigUInt64BE(0)), offset: Number(record.readBigUInt64BE(8)) };
}
