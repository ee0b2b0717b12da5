// How a file becomes durable: write under a temporary name, fsync it, hold its directory open, rename, fsync the directory.
// The directory is opened before the rename because an error of its writeback is reported to descriptors that were open
// when it happened; one opened afterwards may never hear of it.

import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Digest } from "@tally/evidence";
import type { ByteSource } from "./blob-store.ts";
import { writeSource } from "./block-writer.ts";
import { algorithmOf, type ContentDigest, DigestStream, requireDigest } from "./content-digest.ts";
import { storing } from "./storing.ts";

export { storing } from "./storing.ts";

/** Renames a finished, fsynced file into place; durable when it resolves. Both names lie in directories that exist. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await withDirectory(dirname(to), async (sync) => {
    await rename(from, to);
    await sync();
  });
}

/** Makes a directory and its missing parents, each entry durable in its parent. */
export async function makeDirectoryDurably(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = resolve(path); ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

export async function syncDirectory(path: string): Promise<void> {
  await withDirectory(path, (sync) => sync());
}

async function withDirectory(path: string, act: (sync: () => Promise<void>) => Promise<void>): Promise<void> {
  // Windows has no fsync of a directory.
  if (process.platform === "win32") return act(async () => {});
  const directory = await open(path, "r");
  try {
    await act(() => directory.sync());
  } finally {
    await directory.close();
  }
}

/**
 * Writes a new file that has the digest, or any content for null, and fsyncs it; on any failure the file is removed again.
 * Its name is not durable yet: rename it into place. Throws `digest-mismatch`, and what the source throws.
 */
export async function writeBlobFile<D extends ContentDigest = Digest>(
  path: string,
  digest: D | null,
  source: ByteSource,
): Promise<{ digest: D; size: number }> {
  const file = await storing("beginning a blob", () => open(path, "wx", 0o600));
  try {
    const hash = new DigestStream(digest === null ? "sha256" : algorithmOf(digest));
    const size = await writeSource(file, 0, source, (chunk) => hash.update(chunk));
    const actual = hash.digest();
    if (digest !== null) requireDigest("the blob", digest, actual);
    await storing("writing a blob", () => file.sync());
    await file.close();
    return { digest: actual as D, size };
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
}
