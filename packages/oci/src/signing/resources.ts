import type { Digest, ModelResource } from "@tally/evidence";
import { OciError } from "../error.ts";
import { type FilePart, hashParts, wholeOf } from "../hashing/hash-files.ts";
import type { Progress } from "../progress.ts";
import type { FileEntry } from "../tar/entry.ts";
import { compareNames } from "../tar/entry-name.ts";

/** How files become resources of a model signature (model-signing-spec v1.0, section 6.3). */
export type Serialization =
  | { readonly method: "files" }
  | {
      readonly method: "shards";
      /** Bytes. */
      readonly shardSize: number;
    };

/** More resources than this are no model, and would not fit the statement that lists them. */
const mostResources = 1_000_000;

/**
 * Hashes the files into resources, sorted by name in code point order, files and shards on all cores. With shards, an empty file
 * has none. Throws `signature-invalid` when a file changes while it is read, or for more than a million resources.
 */
export async function hashResources(
  files: readonly FileEntry[],
  serialization: Serialization,
  progress?: Progress,
): Promise<readonly ModelResource[]> {
  const parts = partsOf(files, serialization);
  const digests = await hashParts(parts, progress).catch((error: unknown) => {
    if (error instanceof OciError && error.code === "size-mismatch") {
      throw new OciError("signature-invalid", error.message, { cause: error });
    }
    throw error;
  });
  return parts
    .map((part, i) => resourceOf(part, digests[i]!, serialization))
    .sort((a, b) => compareNames(resourceName(a), resourceName(b)));
}

/** The name as it stands in a signature: the path, or `path:start:end`. */
export function resourceName({ path, range }: Pick<ModelResource, "path" | "range">): string {
  return range === undefined ? path : `${path}:${range.start}:${range.end}`;
}

function resourceOf({ file, start, end }: FilePart, digest: Digest, { method }: Serialization): ModelResource {
  const range = Object.freeze({ start, end });
  return Object.freeze({ path: file.name, digest, ...(method === "shards" && { range }) });
}

function partsOf(files: readonly FileEntry[], serialization: Serialization): readonly FilePart[] {
  if (serialization.method === "files") return files.map(wholeOf);
  const { shardSize } = serialization;
  const count = files.reduce((sum, { size }) => sum + Math.ceil(size / shardSize), 0);
  if (!(shardSize >= 1) || count > mostResources) {
    throw new OciError("signature-invalid", `shards of ${shardSize} bytes would be ${count}`, {
      hint: `choose a shard size that gives at most ${mostResources}`,
    });
  }
  const parts: FilePart[] = [];
  for (const file of files) {
    for (let start = 0; start < file.size; start += shardSize) {
      parts.push({ file, start, end: Math.min(file.size, start + shardSize) });
    }
  }
  return parts;
}
