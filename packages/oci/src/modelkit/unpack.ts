import { randomUUID } from "node:crypto";
import { lstat, opendir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { utf8 } from "@tally/evidence";
import type { ArtifactSource } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import { makeDirectoryDurably, renameDurably, storing, syncDirectory } from "../storage/durable-file.ts";
import { memoryFile } from "../tar/entry.ts";
import { checkEntryName, EntryNames } from "../tar/entry-name.ts";
import { type ExtractedFile, extractTar, writeFile } from "../tar/extract.ts";
import { type ArchiveLimits, defaultArchiveLimits, type PlaceOf } from "../tar/read.ts";
import { modelKinds, type ResolvedBase, resolveBases } from "./bases.ts";
import { formatKitfile } from "./format-kitfile.ts";
import { layerContent } from "./layer-content.ts";
import type { LayerKind } from "./layer-types.ts";
import { type ModelKit, type ModelLayer, readModelKit } from "./read.ts";

export interface UnpackOptions {
  readonly source: ArtifactSource;
  /** Tag or digest. */
  readonly reference: string;
  /** A folder that does not exist yet. */
  readonly into: string;
  /** Where a kit's bases are looked for (`ArtifactSource.base`); in `source` by default. */
  readonly bases?: ArtifactSource;
  /** Which layers; all that hold files if not given. */
  readonly kinds?: readonly LayerKind[];
  /** For each layer. */
  readonly limits?: ArchiveLimits;
  /** Writes the Kitfile beside the files, as the reference tool does. */
  readonly writeKitfile?: boolean;
}

export interface UnpackedFile extends ExtractedFile {
  readonly kind: LayerKind;
}

export interface UnpackedModelKit extends ModelKit {
  /** The kits whose model this one has for its own, the nearest first. */
  readonly bases: readonly ResolvedBase[];
  readonly files: readonly UnpackedFile[];
}

/**
 * Unpacks a ModelKit or ModelPack. Every byte is checked on the way against the digest that names it; files appear in a
 * folder beside `into`, which gets its name when all is whole and durable. If anything is wrong, nothing is left. Where the
 * Kitfile names another kit as its base, that one's model is unpacked with it; no file may come twice. Throws
 * `digest-mismatch`, `archive-invalid`, `modelkit-invalid`, `refused` when `into` exists, and what the source throws.
 */
export async function unpackModelKit(options: UnpackOptions): Promise<UnpackedModelKit> {
  const { source, reference, into, kinds, limits = defaultArchiveLimits, writeKitfile = false } = options;
  if (await lstat(into).catch(() => undefined)) {
    throw new OciError("refused", `${into} exists already`, { hint: "name a folder that does not exist yet" });
  }
  const kit = await readModelKit(source, reference);
  const isWanted = ({ kind }: ModelLayer) => (kinds === undefined ? kind !== "other" : kinds.includes(kind));
  const bases = kinds?.every((kind) => !modelKinds.includes(kind))
    ? []
    : await resolveBases(kit, options.bases ?? source);
  const wanted = [
    ...bases.toReversed().flatMap((base) => base.layers.map((layer) => ({ layer, from: base.source }))),
    ...kit.layers.map((layer) => ({ layer, from: source })),
  ].filter(({ layer }) => isWanted(layer));
  const temporary = join(dirname(into), `.unpacking-${randomUUID()}`);
  await storing("making a folder to unpack into", () => makeDirectoryDurably(temporary));
  try {
    const names = new EntryNames();
    const files: UnpackedFile[] = [];
    for (const { layer, from } of wanted) {
      for (const file of await unpackLayer(from, layer, temporary, limits, names)) {
        files.push(Object.freeze({ ...file, kind: layer.kind }));
      }
    }
    if (writeKitfile && kit.kitfile !== undefined) {
      names.addFile("Kitfile");
      const { name, size, content } = memoryFile("Kitfile", utf8(formatKitfile(kit.kitfile)));
      await writeFile(temporary, name, size, content());
    }
    await storing("making an unpacked model durable", () => syncFolders(temporary));
    await storing("placing an unpacked model", () => renameDurably(temporary, into));
    return Object.freeze({ ...kit, bases, files: Object.freeze(files) });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

async function unpackLayer(
  source: ArtifactSource,
  layer: ModelLayer,
  into: string,
  limits: ArchiveLimits,
  names: EntryNames,
): Promise<readonly ExtractedFile[]> {
  const content = layerContent(source, layer);
  if (layer.packing === "tar") return extractTar(content, into, limits, names, placeIn(layer));
  if (layer.path === undefined) {
    throw new OciError(
      "modelkit-invalid",
      `the layer ${layer.descriptor.digest} is a plain file, and nothing names it`,
    );
  }
  if (layer.descriptor.size > limits.maxBytes) throw new OciError("too-large", `${layer.path} is too large`);
  names.addFile(checkEntryName(layer.path));
  return [await writeFile(into, layer.path, layer.descriptor.size, content)];
}

/** A ModelKit's layer brings what lies at its part's path and nothing else, whatever its tar says. */
function placeIn({ path, under, descriptor: { mediaType } }: ModelLayer): PlaceOf | undefined {
  // Of a ModelPack's tar nothing says where its files may go.
  if (path === undefined || path === "" || !mediaType.startsWith("application/vnd.kitops.modelkit.")) return undefined;
  return (name, kind) => {
    const full = under === undefined ? name : checkEntryName(`${under}/${name}`);
    const isWithin = full === path || full.startsWith(`${path}/`) || (kind === "folder" && path.startsWith(`${full}/`));
    if (isWithin) return full;
    throw new OciError(
      "archive-invalid",
      `the layer of ${path} brings ${JSON.stringify(full)}, which lies outside of it`,
      {
        hint: "the Kitfile and the layers of the ModelKit contradict each other: do not use it",
      },
    );
  };
}

async function syncFolders(folder: string): Promise<void> {
  for await (const item of await opendir(folder)) {
    if (item.isDirectory()) await syncFolders(join(folder, item.name));
  }
  await syncDirectory(folder);
}
