// A real file system that is soon full: a tmpfs of a given size, mounted where the system lets us.

import { execFile } from "node:child_process";
import { mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface SmallDisk {
  readonly dir: string;
  /** Leaves at most so many free pages of 4 KiB. */
  leave(pages: number): Promise<void>;
  /** Gives back what `leave` took. */
  makeRoom(): Promise<void>;
}

/** A small disk until the test ends; undefined, and the test skipped with the reason, where none can be mounted. */
export async function smallDisk(t: TestContext, options = "size=8m"): Promise<SmallDisk | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "tally-disk-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", dir]);
  } catch (error) {
    await rm(dir, { recursive: true });
    t.skip(`skipped: a small disk cannot be mounted here (${(error as Error).message.trim().split("\n").at(-1)})`);
    return undefined;
  }
  t.after(async () => {
    await run("umount", ["-l", dir]);
    await rm(dir, { recursive: true, force: true });
  });
  const filler = join(dir, "filler");
  return {
    dir,
    async leave(pages) {
      const { bavail, bsize } = await statfs(dir);
      const take = bavail - Math.ceil((pages * 4096) / bsize);
      if (take > 0) await writeFile(filler, new Uint8Array(take * bsize), { flag: "a" });
    },
    makeRoom: () => rm(filler, { force: true }),
  };
}
