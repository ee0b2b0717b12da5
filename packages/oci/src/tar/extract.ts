import { createHash } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, parseDigest } from "@tally/evidence";
import { OciError } from "../error.ts";
import { BlockWriter } from "../storage/block-writer.ts";
import { storing } from "../storage/durable-file.ts";
import { EntryNames } from "./entry-name.ts";
import { type ArchiveLimits, type PlaceOf, readTar } from "./read.ts";

/** A file as it was written. */
export interface ExtractedFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly digest: Digest;
}

/**
 * Extracts a tar into a folder that only the caller writes to, each file hashed on the way and fsynced. Nothing that is
 * there already is replaced. What `readTar` refuses is refused; then some files may be there, so extract into a new folder
 * and discard it.
 */
export async function extractTar(
  source: AsyncIterable<Uint8Array>,
  into: string,
  limits?: ArchiveLimits,
  names: EntryNames = new EntryNames(),
  place?: PlaceOf,
): Promise<readonly ExtractedFile[]> {
  const files: ExtractedFile[] = [];
  for await (const { name, size, content } of readTar(source, limits, names, place)) {
    files.push(await writeFile(into, name, size, content));
  }
  return files;
}

/** What of a file is there from before. */
export interface Begun {
  /** The first bytes of the content that the file holds already; only what comes after them is written. */
  readonly bytes: number;
}

/**
 * Writes one file below `into`, with the folders that lead to it, and hashes all of its content. `name` must have been checked.
 * Without `begun` the file must not be there.
 */
export async function writeFile(
  into: string,
  name: string,
  size: number,
  content: AsyncIterable<Uint8Array>,
  begun?: Begun,
): Promise<ExtractedFile> {
  const path = join(into, ...name.split("/"));
  await storing(`making the folder of ${name}`, () => mkdir(dirname(path), { recursive: true }));
  const flags = begun === undefined ? "wx" : begun.bytes > 0 ? "r+" : "w";
  const file = await storing(`creating ${name}`, () => open(path, flags, 0o644));
  const hash = createHash("sha256");
  const there = begun?.bytes ?? 0;
  const writer = new BlockWriter(file, there, `writing ${name}`);
  let at = 0;
  try {
    for await (const chunk of content) {
      if (at + chunk.length > size) throw wrongSize(name, size);
      hash.update(chunk);
      if (at + chunk.length > there) await writer.write(chunk.subarray(Math.max(0, there - at)));
      at += chunk.length;
    }
    if (at !== size) throw wrongSize(name, size);
    await writer.flush();
    await storing(`writing ${name}`, () => file.sync());
  } catch (error) {
    // What arrived before it broke off is a beginning that can be gone on with.
    await writer.flush().catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  return Object.freeze({ name, size, digest: parseDigest(`sha256:${hash.digest("hex")}`) });
}

function wrongSize(name: string, size: number): OciError {
  return new OciError("archive-invalid", `${name} does not have the ${size} bytes that were announced`);
}
