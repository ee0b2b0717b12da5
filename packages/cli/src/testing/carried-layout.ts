// What a carrier may do to an exported layout. For tests.

import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Index {
  manifests: { digest: string; size: number; artifactType?: string; annotations?: Record<string, string> }[];
}

export const readIndex = async (dir: string): Promise<Index> =>
  JSON.parse(await readFile(join(dir, "index.json"), "utf8"));

export const writeIndex = (dir: string, index: Index): Promise<void> =>
  writeFile(join(dir, "index.json"), JSON.stringify(index));

export const blob = (dir: string, digest: string): string => join(dir, "blobs", ...digest.split(":"));

/** Puts bytes into a layout under their digest. */
export async function put(dir: string, bytes: Uint8Array | string): Promise<{ digest: string; size: number }> {
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await writeFile(blob(dir, digest), bytes);
  return { digest, size: Buffer.byteLength(bytes) };
}

export interface Image {
  config: { digest: string };
  layers: { digest: string; size: number }[];
  subject?: { digest: string };
}

export const readImage = async (dir: string, digest: string): Promise<Image> =>
  JSON.parse(await readFile(blob(dir, digest), "utf8"));

/** Takes these manifests out, and mends the rest, so that the layout is whole again: what no other manifest has goes too. */
export async function takeOut(dir: string, ...digests: readonly string[]): Promise<void> {
  const index = await readIndex(dir);
  const left = index.manifests.filter(({ digest }) => !digests.includes(digest));
  const needed = new Set<string>();
  for (const { digest } of left) {
    const { config, layers } = await readImage(dir, digest);
    for (const part of [digest, config.digest, ...layers.map((layer) => layer.digest)]) needed.add(part);
  }
  for (const digest of digests) {
    const { config, layers } = await readImage(dir, digest);
    for (const part of [config.digest, ...layers.map((layer) => layer.digest), digest]) {
      if (!needed.has(part)) await rm(blob(dir, part), { force: true });
    }
  }
  await writeIndex(dir, { ...index, manifests: left });
}

/** The layers of a manifest. */
export async function listedOf(dir: string, digest: string): Promise<readonly string[]> {
  return (await readImage(dir, digest)).layers.map((layer) => layer.digest);
}

/** Puts another layer in the place of one, and mends manifest and index, so that only what was signed tells. */
export async function mendManifest(
  dir: string,
  digest: string,
  layer: string,
  by: { readonly digest: string; readonly size: number },
): Promise<void> {
  const image = await readImage(dir, digest);
  Object.assign(image.layers.find((item) => item.digest === layer)!, by);
  if (by.digest !== layer) await rm(blob(dir, layer));
  await rm(blob(dir, digest));
  const mended = await put(dir, JSON.stringify(image));
  const index = await readIndex(dir);
  for (const item of index.manifests) if (item.digest === digest) Object.assign(item, mended);
  await writeIndex(dir, index);
}
