import { createHash } from "node:crypto";
import { parseDigest } from "@tally/evidence";
import type { ArtifactSource } from "../artifact/transfer.ts";
import { type Progress, reported } from "../progress.ts";
import { algorithmOf } from "../storage/content-digest.ts";
import type { FileEntry } from "../tar/entry.ts";
import { checkEntryName, EntryNames } from "../tar/entry-name.ts";
import { defaultArchiveLimits, readTar } from "../tar/read.ts";
import type { ResolvedBase } from "./bases.ts";
import { contentOf, layerContent } from "./layer-content.ts";
import { placeIn } from "./layer-place.ts";
import { Outline } from "./outline.ts";
import { type ModelLayer, readModelKit } from "./read.ts";
import { basesOf, type Wanted, wantedLayers } from "./wanted-layers.ts";

/**
 * The files of a ModelKit or ModelPack as they would be unpacked, without unpacking them. Those in layers that lie on this disk as
 * they are, uncompressed, are found by their place in the layer: nobody has read or hashed them yet, and whoever does can use all cores. The
 * layer itself is not checked then. Those of other layers are hashed on the way. Throws what `unpackModelKit` throws.
 */
export async function filesOfModelKit(options: KitWanted): Promise<KitFiles> {
  const { source, progress } = options;
  const kit = await readModelKit(source, options.reference);
  const bases = await basesOf(kit, options);
  const names = new EntryNames();
  const files: FileEntry[] = [];
  const wanted = wantedLayers(kit, bases, options);
  const read = wanted.filter(({ layer, from }) => placeOf(from, layer) === undefined);
  progress?.expect(read.reduce((sum, { layer }) => sum + layer.descriptor.size, 0));
  for (const { layer, from } of wanted) {
    for await (const file of filesOfLayer(from, layer, names, progress)) files.push(file);
  }
  return { files, bases };
}

export interface KitWanted extends Wanted {
  /** Tag or digest. */
  readonly reference: string;
  /** Told of the layers that have to be read through. */
  readonly progress?: Progress;
}

export interface KitFiles {
  readonly files: readonly FileEntry[];
  /** The kits whose model this one has for its own, the nearest first. */
  readonly bases: readonly ResolvedBase[];
}

/** The layer's file on this disk, where its bytes lie there as they are. */
function placeOf(source: ArtifactSource, { compression, descriptor }: ModelLayer): string | undefined {
  const isPlain = compression === "none" && algorithmOf(descriptor.digest) === "sha256";
  return isPlain ? source.blobPath?.(descriptor.digest) : undefined;
}

async function* filesOfLayer(
  source: ArtifactSource,
  layer: ModelLayer,
  names: EntryNames,
  progress: Progress | undefined,
): AsyncGenerator<FileEntry> {
  const { descriptor, packing, path } = layer;
  const blob = placeOf(source, layer);
  const once = () => contentOf(layer, reported(source.blob(descriptor), progress));
  if (packing === "raw") {
    const name = checkEntryName(path ?? "");
    names.addFile(name);
    const content = () => layerContent(source, layer);
    if (blob !== undefined) yield { name, size: descriptor.size, content, place: { path: blob } };
    else yield await hashed(name, once(), content);
    return;
  }
  const outline = blob === undefined ? undefined : new Outline(blob);
  const bytes = outline === undefined ? once() : contentOf(layer, outline);
  const place = placeIn(layer);
  for await (const { name, size, offset, content } of readTar(bytes, defaultArchiveLimits, names, place)) {
    const again = () => memberOf(source, layer, name);
    outline?.passOver(offset, offset + size);
    if (blob !== undefined) yield { name, size, content: again, place: { path: blob, start: offset } };
    else yield await hashed(name, content, again);
  }
}

async function hashed(
  name: string,
  content: AsyncIterable<Uint8Array>,
  again: () => AsyncIterable<Uint8Array>,
): Promise<FileEntry> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { name, size, content: again, digest: parseDigest(`sha256:${hash.digest("hex")}`) };
}

async function* memberOf(source: ArtifactSource, layer: ModelLayer, wanted: string): AsyncGenerator<Uint8Array> {
  for await (const { name, content } of readTar(
    layerContent(source, layer),
    defaultArchiveLimits,
    new EntryNames(),
    placeIn(layer),
  )) {
    if (name === wanted) yield* content;
  }
}
