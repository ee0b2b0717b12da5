import { randomUUID } from "node:crypto";
import { type FileHandle, open, opendir, readdir, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Digest } from "@tally/evidence";
import { OciError } from "../error.ts";
import type { BlobStore, ByteSource, StagedBlob } from "./blob-store.ts";
import {
  algorithmOf,
  type ContentDigest,
  contentDigestOf,
  hexOf,
  isContentDigest,
  requireDigest,
} from "./content-digest.ts";
import { makeDirectoryDurably, renameDurably, storing, syncDirectory, writeBlobFile } from "./durable-file.ts";
import { SmallBlobs } from "./small-blobs.ts";
import { StagedFile, type StagingPlace } from "./staged-file.ts";

export interface FileBlobStoreOptions {
  /** Bytes of small blobs that are kept in memory once `bytes` has read and checked them; 0 by default. */
  readonly remembered?: number;
}

/**
 * Blobs as files of one folder, owned by one process at a time:
 *
 *     sha256/4e/4e07…b2   a blob, complete and durable
 *     staged/<id>         an upload in progress; survives a restart
 *     temporary/<uuid>    being written; removed when the folder is next opened
 */
export class FileBlobStore implements BlobStore {
  readonly #dir: string;
  readonly #staging: StagingPlace = {
    place: (path, digest) => this.#place(path, digest),
    forget: (id) => this.#staged.delete(id),
  };
  readonly #staged = new Map<string, StagedFile>();
  readonly #fanOut = new Map<string, Promise<void>>();
  readonly #small: SmallBlobs;
  #opened: Promise<void> | undefined;

  constructor(dir: string, { remembered = 0 }: FileBlobStoreOptions = {}) {
    this.#dir = dir;
    this.#small = new SmallBlobs(remembered);
  }

  async has(digest: ContentDigest): Promise<{ size: number; storedAt: number } | undefined> {
    const found = await absentAsUndefined(stat(this.#path(digest)));
    return found === undefined ? undefined : { size: found.size, storedAt: found.mtimeMs };
  }

  async get(
    digest: ContentDigest,
    range: { start?: number; end?: number } = {},
  ): Promise<{ size: number; stream: Readable }> {
    const file = await this.#open(digest);
    try {
      const { size } = await file.stat();
      const { start = 0, end = size } = range;
      if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= size)) {
        throw new OciError(
          "range-invalid",
          `[${start}, ${end}) does not lie within ${digest}, which has ${size} bytes`,
        );
      }
      if (start === end) {
        await file.close();
        return { size, stream: Readable.from([]) };
      }
      // The handle is open, so the stream reads this very file to its end even if the blob is deleted meanwhile.
      return { size, stream: file.createReadStream({ start, end: end - 1, highWaterMark: 256 * 1024 }) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async bytes(digest: ContentDigest, max: number): Promise<Uint8Array> {
    const kept = this.#small.get(digest);
    if (kept !== undefined && kept.length <= max) return kept;
    const { deletions } = this.#small;
    const file = await this.#open(digest);
    try {
      const { size } = await file.stat();
      if (size > max) throw new OciError("too-large", `${digest} has ${size} bytes; at most ${max} are read here`);
      const bytes = await storing("reading a blob", () => readExactly(file, size));
      requireDigest("the stored blob", digest, contentDigestOf(bytes, algorithmOf(digest)));
      this.#small.keep(digest, bytes, deletions);
      return bytes;
    } finally {
      await file.close();
    }
  }

  async put<D extends ContentDigest = Digest>(
    digest: D | null,
    source: ByteSource,
  ): Promise<{ digest: D; size: number }> {
    await this.#ready();
    const temporary = join(this.#dir, "temporary", randomUUID());
    const stored = await writeBlobFile(temporary, digest, source);
    try {
      await this.#place(temporary, stored.digest);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    return stored;
  }

  async stage(id: string): Promise<StagedBlob> {
    await this.#ready();
    if (!/^[A-Za-z0-9-]{1,64}$/.test(id))
      throw new OciError("name-invalid", `${JSON.stringify(id)} cannot name an upload`);
    const known = this.#staged.get(id);
    if (known !== undefined) return known;
    const path = join(this.#dir, "staged", id);
    const size = (await absentAsUndefined(stat(path)))?.size ?? 0;
    const opened = this.#staged.get(id) ?? new StagedFile(id, path, size, this.#staging);
    this.#staged.set(id, opened);
    return opened;
  }

  async *staged(): AsyncIterable<string> {
    await this.#ready();
    const ids = new Set([...this.#staged.keys(), ...(await readdir(join(this.#dir, "staged")))]);
    yield* ids;
  }

  async delete(digest: ContentDigest): Promise<boolean> {
    const path = this.#path(digest);
    this.#small.forget(digest);
    const gone = await absentAsUndefined(unlink(path).then(() => true));
    this.#small.forget(digest);
    if (gone === undefined) return false;
    await storing("deleting a blob", () => syncDirectory(join(path, "..")));
    return true;
  }

  async *list(): AsyncIterable<ContentDigest> {
    for (const algorithm of ["sha256", "sha512"]) {
      const root = join(this.#dir, algorithm);
      for (const prefix of (await absentAsUndefined(readdir(root))) ?? []) {
        const directory = await absentAsUndefined(opendir(join(root, prefix)));
        if (directory === undefined) continue;
        for await (const { name } of directory) {
          const digest = `${algorithm}:${name}`;
          if (isContentDigest(digest)) yield digest;
        }
      }
    }
  }

  /** Folders made, and what an interrupted process left half-written removed; once. */
  #ready(): Promise<void> {
    this.#opened ??= storing("opening the blob folder", async () => {
      await rm(join(this.#dir, "temporary"), { recursive: true, force: true });
      await makeDirectoryDurably(join(this.#dir, "temporary"));
      await makeDirectoryDurably(join(this.#dir, "staged"));
    }).catch((error) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  #path(digest: ContentDigest): string {
    const hex = hexOf(digest);
    return join(this.#dir, algorithmOf(digest), hex.slice(0, 2), hex);
  }

  async #open(digest: ContentDigest): Promise<FileHandle> {
    const file = await absentAsUndefined(open(this.#path(digest), "r"));
    if (file === undefined) throw new OciError("not-found", `no blob ${digest} is stored here`);
    return file;
  }

  async #place(from: string, digest: ContentDigest): Promise<void> {
    const to = this.#path(digest);
    const parent = join(to, "..");
    let made = this.#fanOut.get(parent);
    if (made === undefined) {
      made = makeDirectoryDurably(parent);
      this.#fanOut.set(parent, made);
      made.catch(() => this.#fanOut.delete(parent));
    }
    await storing("placing a blob", async () => {
      await made;
      await renameDurably(from, to);
    });
  }
}

/** A file whose size is known takes one read, where `readFile` asks for the size again and reads until nothing comes. */
async function readExactly(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function absentAsUndefined<T>(step: Promise<T>): Promise<T | undefined> {
  return storing("looking for a blob", async () => {
    try {
      return await step;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw error;
    }
  });
}
