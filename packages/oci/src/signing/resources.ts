import { createHash } from "node:crypto";
import { type ModelResource, parseDigest } from "@tally/evidence";
import { OciError } from "../error.ts";
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

/**
 * Hashes the files into resources, sorted by name in code point order. With shards, an empty file has none. Throws
 * `signature-invalid` when a file changes while it is read.
 */
export async function hashResources(
  files: readonly FileEntry[],
  serialization: Serialization,
): Promise<readonly ModelResource[]> {
  const resources: ModelResource[] = [];
  for (const file of files) resources.push(...(await hashFile(file, serialization)));
  return resources.sort((a, b) => compareNames(resourceName(a), resourceName(b)));
}

/** The name as it stands in a signature: the path, or `path:start:end`. */
export function resourceName({ path, range }: Pick<ModelResource, "path" | "range">): string {
  return range === undefined ? path : `${path}:${range.start}:${range.end}`;
}

async function hashFile(file: FileEntry, serialization: Serialization): Promise<readonly ModelResource[]> {
  const shardSize = serialization.method === "shards" ? serialization.shardSize : Number.POSITIVE_INFINITY;
  const resources: ModelResource[] = [];
  let hash = createHash("sha256");
  let start = 0;
  let at = 0;
  const close = () => {
    const digest = parseDigest(`sha256:${hash.digest("hex")}`);
    const range = Object.freeze({ start, end: at });
    resources.push(Object.freeze({ path: file.name, digest, ...(serialization.method === "shards" ? { range } : {}) }));
    hash = createHash("sha256");
    start = at;
  };
  for await (const chunk of file.content()) {
    for (let rest = chunk; rest.length > 0; ) {
      const part = rest.subarray(0, Math.min(rest.length, start + shardSize - at));
      hash.update(part);
      at += part.length;
      rest = rest.subarray(part.length);
      if (at - start === shardSize) close();
    }
  }
  if (serialization.method === "files" || at > start) close();
  if (at !== file.size) {
    throw new OciError(
      "signature-invalid",
      `${file.name} changed while it was hashed: it had ${file.size} bytes, then ${at}`,
    );
  }
  return resources;
}
