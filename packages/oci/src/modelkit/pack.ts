import type { Digest } from "@tally/evidence";
import { type Annotations, type Descriptor, describe } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import type { ArtifactTarget } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import { type Progress, reported } from "../progress.ts";
import { DigestStream } from "../storage/content-digest.ts";
import { lentBlocks } from "../storage/lent-blocks.ts";
import { type FileEntry, listFiles } from "../tar/entry.ts";
import { packTar } from "../tar/pack.ts";
import { baseOf } from "./base-name.ts";
import { checkKitfile, encodeKitConfig } from "./format-kitfile.ts";
import type { Kitfile } from "./kitfile.ts";
import { type LayerKind, modelKitLayerType, modelKitTypes } from "./layer-types.ts";
import { type KitPart, partsOfKitfile, withLayers } from "./parts.ts";

export interface PackOptions {
  /** The folder that the Kitfile's paths are relative to, or its files. Files that no part covers are left out. */
  readonly files: string | readonly FileEntry[];
  readonly kitfile: Kitfile;
  /** An image layout or a repository of a registry. */
  readonly target: ArtifactTarget;
  readonly tag?: string;
  /** What this kit refers to: a segment's model, say. */
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
  /** Layers of other types, after the Kitfile's own; unpacking leaves them alone. */
  readonly otherLayers?: readonly OtherLayer[];
  /** Told how the packing comes along. */
  readonly progress?: Progress;
}

export interface OtherLayer {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly annotations?: Annotations;
}

export interface PackedModelKit {
  readonly digest: Digest;
  readonly descriptor: Descriptor;
  /** With the layers' digests. */
  readonly kitfile: Kitfile;
  readonly layers: readonly { readonly kind: LayerKind; readonly descriptor: Descriptor }[];
}

/**
 * Packs a ModelKit: each part of the Kitfile becomes a deterministic tar, the Kitfile the config. The same files and
 * Kitfile give the same digests everywhere. Throws `modelkit-invalid`, `archive-invalid`, and what the target throws.
 */
export async function packModelKit(options: PackOptions): Promise<PackedModelKit> {
  const { target, tag, subject, annotations, otherLayers = [], progress } = options;
  const kitfile = checkKitfile(options.kitfile);
  const files = typeof options.files === "string" ? await listFiles(options.files) : options.files;
  const packed: { part: KitPart; descriptor: Descriptor }[] = [];
  for (const { part, files: own } of shareOut(kitfile, files)) {
    packed.push({ part, descriptor: await packLayer(target, modelKitLayerType(part.kind), own, progress) });
  }
  const full = withLayers(
    kitfile,
    packed.map(({ part, descriptor: { digest } }) => ({ ...part, layer: { digest, diffId: digest } })),
  );
  const configBytes = encodeKitConfig(full);
  const config = describe(modelKitTypes.config, configBytes);
  await target.pushBlob(config, configBytes);
  const others: Descriptor[] = [];
  for (const { mediaType, bytes, annotations } of otherLayers) {
    const descriptor = describe(mediaType, bytes, annotations === undefined ? {} : { annotations });
    await target.pushBlob(descriptor, bytes);
    others.push(descriptor);
  }
  const { bytes, descriptor } = encodeImageManifest({
    artifactType: modelKitTypes.artifact,
    config,
    layers: [...packed.map((layer) => layer.descriptor), ...others],
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  });
  const { digest } = await target.pushManifest(bytes, descriptor.mediaType, tag);
  return Object.freeze({
    digest,
    descriptor,
    kitfile: full,
    layers: [
      ...packed.map(({ part, descriptor: own }) => ({ kind: part.kind, descriptor: own })),
      ...others.map((own) => ({ kind: "other" as const, descriptor: own })),
    ],
  });
}

const kitfileNames = ["Kitfile", "kitfile", ".kitfile"];

/** Each file goes to the part with the longest path that covers it, so that a part within a part has its files alone. */
function shareOut(kitfile: Kitfile, files: readonly FileEntry[]): { part: KitPart; files: FileEntry[] }[] {
  const parts = partsOfKitfile(kitfile);
  if (parts.length === 0 && baseOf(kitfile) === undefined)
    throw new OciError("modelkit-invalid", "the Kitfile names no model, code, dataset or docs");
  const shares = parts.map((part) => ({ part, files: [] as FileEntry[] }));
  const longestFirst = [...shares].sort((a, b) => b.part.path.length - a.part.path.length);
  for (const file of files) {
    if (kitfileNames.includes(file.name)) continue;
    const share = longestFirst.find(({ part: { path } }) => {
      return path === "" || file.name === path || file.name.startsWith(`${path}/`);
    });
    share?.files.push(file);
  }
  const empty = shares.find((share) => share.files.length === 0);
  if (empty !== undefined) {
    throw new OciError("modelkit-invalid", `there is no file at ${empty.part.path || "."}, which the Kitfile names`);
  }
  return shares;
}

/** One pass where the target allows it: what is read is hashed and written. Otherwise one to name the layer, one to send it. */
async function packLayer(
  target: ArtifactTarget,
  mediaType: string,
  files: readonly FileEntry[],
  progress: Progress | undefined,
): Promise<Descriptor> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  // Whoever is given this tar is done with a chunk before it asks for the next.
  const tar = () => {
    progress?.expect(total);
    return packTar(files.map((file) => ({ ...file, content: () => reported(lentContent(file), progress) })));
  };
  if (target.addBlob !== undefined) return Object.freeze({ mediaType, ...(await target.addBlob(tar())) });
  const hash = new DigestStream();
  let size = 0;
  for await (const chunk of tar()) {
    hash.update(chunk);
    size += chunk.length;
  }
  const descriptor = Object.freeze({ mediaType, digest: hash.digest(), size });
  await target.pushBlob(descriptor, () => packTar(files));
  return descriptor;
}

function lentContent({ place, size, content }: FileEntry): AsyncIterable<Uint8Array> {
  if (place === undefined) return content();
  const { path, start } = place;
  // A whole file is read one byte beyond its end, so that it is noticed when it grew.
  return start === undefined ? lentBlocks(path, 0, size + 1) : lentBlocks(path, start, start + size);
}
