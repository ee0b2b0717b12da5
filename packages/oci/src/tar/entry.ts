import type { Stats } from "node:fs";
import { createReadStream } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Digest } from "@tally/evidence";
import { OciError } from "../error.ts";
import { checkEntryName, compareNames } from "./entry-name.ts";

/** A file to be packed, signed or compared: a name with forward slashes, its size in bytes, and what is in it. */
export interface FileEntry {
  readonly name: string;
  readonly size: number;
  /** The content from its beginning; each call reads anew. */
  content(): AsyncIterable<Uint8Array>;
  /** Where the content lies on disk, for threads that read it by themselves. */
  readonly place?: Place;
  /** Of the content, where whoever made the entry has hashed the very bytes already. */
  readonly digest?: Digest;
}

/** A file on disk that is the content, or, from `start` on, holds it. */
export interface Place {
  readonly path: string;
  /** Bytes; a whole file has none. */
  readonly start?: number;
}

/** A file in memory. */
export function memoryFile(name: string, bytes: Uint8Array): FileEntry {
  return {
    name: checkEntryName(name),
    size: bytes.length,
    async *content() {
      yield bytes;
    },
  };
}

/**
 * All files of a folder, or the one file that `path` names, sorted by the bytes of their names. Only regular files and
 * folders may be there: a link or a device is refused with `archive-invalid` and not followed. Names listed in `except`
 * (exact paths, with all below them) are left out.
 */
export async function listFiles(path: string, except: readonly string[] = []): Promise<readonly FileEntry[]> {
  const found = await statOf(path, path);
  if (found.isFile()) return [diskFile(basename(path), path, found.size)];
  if (!found.isDirectory()) throw notRegular(path);
  const files: FileEntry[] = [];
  await collect(path, "", new Set(except), files);
  return files.sort((a, b) => compareNames(a.name, b.name));
}

async function collect(root: string, prefix: string, except: ReadonlySet<string>, into: FileEntry[]): Promise<void> {
  for await (const item of await opendir(join(root, prefix))) {
    const name = prefix === "" ? item.name : `${prefix}/${item.name}`;
    if (except.has(name)) continue;
    const path = join(root, name);
    const found = await statOf(path, name);
    if (found.isDirectory()) await collect(root, name, except, into);
    else if (found.isFile()) into.push(diskFile(name, path, found.size));
    else throw notRegular(name);
  }
}

/** A file on disk that was looked at already: its size, and its digest if somebody hashed it. */
export function diskFile(name: string, path: string, size: number, digest?: Digest): FileEntry {
  const content = () => createReadStream(path, { highWaterMark: 1024 * 1024 });
  return { name: checkEntryName(name), size, content, place: { path }, ...(digest !== undefined && { digest }) };
}

async function statOf(path: string, name: string): Promise<Stats> {
  try {
    return await lstat(path);
  } catch (cause) {
    throw new OciError("not-found", `${name} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

function notRegular(name: string): OciError {
  return new OciError("archive-invalid", `${name} is neither a regular file nor a folder`, {
    hint: "replace links by the files they lead to; what a link means depends on the machine",
  });
}
