import { createHash } from "node:crypto";
import { type Digest, parseDigest } from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Progress } from "../progress.ts";
import type { FileEntry, Place } from "../tar/entry.ts";
import { hashPieces } from "./hash-pieces.ts";

/** The bytes [start, end) of a file. */
export interface FilePart {
  readonly file: FileEntry;
  readonly start: number;
  readonly end: number;
}

/** The digest of each file, in their order; what lies on disk is hashed on all cores. Throws as `hashParts` does. */
export function hashFiles(files: readonly FileEntry[], progress?: Progress): Promise<readonly Digest[]> {
  return hashParts(files.map(wholeOf), progress);
}

/**
 * The digest of each part, in their order. The parts of one file stand together and cover it without gap or overlap. Throws
 * `size-mismatch` when a file is no longer as long as it was.
 */
export async function hashParts(parts: readonly FilePart[], progress?: Progress): Promise<readonly Digest[]> {
  const digests: Digest[] = new Array(parts.length);
  const onDisk: { i: number; part: FilePart; place: Place }[] = [];
  for (const [i, part] of parts.entries()) {
    const { digest, place, size } = part.file;
    if (digest !== undefined && part.start === 0 && part.end === size) digests[i] = digest;
    else if (place !== undefined) onDisk.push({ i, part, place });
  }
  const pieces = onDisk.map(({ part: { start, end }, place }) => {
    const from = place.start ?? 0;
    return { path: place.path, start: from + start, end: from + end };
  });
  for (const [k, { digest, fileSize }] of (await hashPieces(pieces, progress)).entries()) {
    const { i, part, place } = onDisk[k]!;
    if (place.start === undefined && fileSize !== part.file.size) throw changed(part.file, fileSize);
    digests[i] = digest;
  }
  for (let i = 0; i < parts.length; i += 1) {
    if (digests[i] !== undefined) continue;
    const { file } = parts[i]!;
    let next = i;
    while (parts[next]?.file === file) next += 1;
    const own = await hashStream(file, parts.slice(i, next), progress);
    for (const [k, digest] of own.entries()) digests[i + k] = digest;
  }
  return digests;
}

export function wholeOf(file: FileEntry): FilePart {
  return { file, start: 0, end: file.size };
}

/** Parts of a file that is not on disk, or where nobody knows. */
async function hashStream(
  file: FileEntry,
  parts: readonly FilePart[],
  progress: Progress | undefined,
): Promise<readonly Digest[]> {
  progress?.expect(file.size);
  const digests: Digest[] = [];
  let hash = createHash("sha256");
  let at = 0;
  const close = () => {
    digests.push(parseDigest(`sha256:${hash.digest("hex")}`));
    hash = createHash("sha256");
  };
  for await (const chunk of file.content()) {
    for (let rest = chunk; rest.length > 0; ) {
      const end = parts[digests.length]?.end;
      if (end === undefined) throw changed(file, at + rest.length);
      const own = rest.subarray(0, end - at);
      hash.update(own);
      at += own.length;
      rest = rest.subarray(own.length);
      if (at === end) close();
    }
    progress?.advance(chunk.length, "done");
  }
  if (file.size === 0) close();
  if (at !== file.size) throw changed(file, at);
  return digests;
}

function changed({ name, size }: FileEntry, now: number): OciError {
  return new OciError("size-mismatch", `${name} changed while it was hashed: it had ${size} bytes, then ${now}`);
}
