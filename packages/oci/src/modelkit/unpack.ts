import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { utf8 } from "@tally/evidence";
import type { ArtifactSource } from "../artifact/transfer.ts";
import { OciError, type OciErrorCode } from "../error.ts";
import type { Progress } from "../progress.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { diskFile, type FileEntry, memoryFile } from "../tar/entry.ts";
import { checkEntryName, EntryNames } from "../tar/entry-name.ts";
import { type ExtractedFile, writeFile } from "../tar/extract.ts";
import { type ArchiveLimits, defaultArchiveLimits, readTar } from "../tar/read.ts";
import type { ResolvedBase } from "./bases.ts";
import { formatKitfile } from "./format-kitfile.ts";
import { contentOf } from "./layer-content.ts";
import { placeIn } from "./layer-place.ts";
import type { LayerKind } from "./layer-types.ts";
import { type ModelKit, type ModelLayer, readModelKit } from "./read.ts";
import { StagedBlob, StagedRaw, StagedTar } from "./staged-layer.ts";
import { Staging } from "./staging.ts";
import { basesOf, type WantedLayer, wantedLayers } from "./wanted-layers.ts";

export interface UnpackOptions {
  readonly source: ArtifactSource;
  /** Tag or digest. */
  readonly reference: string;
  /** A folder that does not exist yet. */
  readonly into: string;
  /** Where a kit's bases are looked for (`ArtifactSource.base`); in `source` by default. */
  readonly bases?: ArtifactSource;
  /** Digest of the nearest base, where that is known for sure: a tag in the Kitfile is then not asked for. */
  readonly base?: ContentDigest;
  /** Which layers; all that hold files if not given. */
  readonly kinds?: readonly LayerKind[];
  /** For each layer. */
  readonly limits?: ArchiveLimits;
  /** Writes the Kitfile beside the files, as the reference tool does. */
  readonly writeKitfile?: boolean;
  /** Looks at the files before the folder gets its name, and names those that are to be left out; when it throws, nothing is left. */
  readonly accept?: (files: readonly FileEntry[]) => Promise<readonly string[]>;
  readonly progress?: Progress;
}

export interface UnpackedFile extends ExtractedFile {
  readonly kind: LayerKind;
}

export interface UnpackedModelKit extends ModelKit {
  /** The kits whose model this one has for its own, the nearest first. */
  readonly bases: readonly ResolvedBase[];
  readonly files: readonly UnpackedFile[];
}

/** Layers that are fetched at a time: a link of long delay is filled, and memory stays bounded. */
const layersAtOnce = 3;

/** What may go better next time; what came so far is kept for it. Everything else is wrong with the model itself. */
const passing: readonly OciErrorCode[] = ["unreachable", "aborted", "unauthorized", "storage-full"];

/**
 * Unpacks a ModelKit or ModelPack. Every byte is checked on the way against the digest that names it; files gather in a folder
 * beside `into` (see Staging), which gets its name when all is whole and durable. Where it breaks off, also by the death of the
 * process, the next call for the same manifest and place goes on there: what is there is hashed again, and only what is missing is
 * fetched. If anything is wrong with the model nothing is left. Where the Kitfile names another kit as its base, that one's model is
 * unpacked with it; no file may come twice. Throws `digest-mismatch`, `archive-invalid`, `modelkit-invalid`,
 * `refused` when `into` exists, `busy` while another process unpacks to it, and what the source throws.
 */
export async function unpackModelKit(options: UnpackOptions): Promise<UnpackedModelKit> {
  const { source, reference, into } = options;
  if (await lstat(into).catch(() => undefined)) {
    throw new OciError("refused", `${into} exists already`, { hint: "name a folder that does not exist yet" });
  }
  const kit = await readModelKit(source, reference);
  const bases = await basesOf(kit, options);
  const digests = [kit, ...bases.map((base) => base.kit)].map(({ resolved }) => resolved.digest);
  const staging = await Staging.open(into, digests);
  try {
    const files = await unpackInto(staging, wantedLayers(kit, bases, options), kit, options);
    const unwanted = await options.accept?.(
      files.map(({ name, size, digest }) => diskFile(name, join(staging.files, name), size, digest)),
    );
    await staging.leaveOut(unwanted ?? []);
    await staging.place();
    const left = files.filter(({ name }) => !unwanted?.includes(name));
    return Object.freeze({ ...kit, bases, files: Object.freeze(left) });
  } catch (error) {
    if (!(error instanceof OciError && passing.includes(error.code))) await staging.discard();
    throw error;
  } finally {
    staging.close();
  }
}

async function unpackInto(
  staging: Staging,
  wanted: readonly WantedLayer[],
  kit: ModelKit,
  options: UnpackOptions,
): Promise<readonly UnpackedFile[]> {
  const unpacking = new Unpacking(staging, wanted, kit, options);
  try {
    return await unpacking.run();
  } catch (error) {
    // What lay here from before may be what was wrong: a disk forgets, somebody changes a file. It is tried without, once.
    if (unpacking.begunBytes === 0 || (error instanceof OciError && passing.includes(error.code))) throw error;
    await staging.clear();
    return new Unpacking(staging, wanted, kit, options).run();
  }
}

/** One walk over all wanted layers. */
class Unpacking {
  /** Bytes of layers that were here from before. */
  begunBytes = 0;
  readonly #staging: Staging;
  readonly #wanted: readonly WantedLayer[];
  readonly #kit: ModelKit;
  readonly #options: UnpackOptions;
  readonly #limits: ArchiveLimits;
  readonly #names = new EntryNames();
  #failed = false;

  constructor(staging: Staging, wanted: readonly WantedLayer[], kit: ModelKit, options: UnpackOptions) {
    this.#staging = staging;
    this.#wanted = wanted;
    this.#kit = kit;
    this.#options = options;
    this.#limits = options.limits ?? defaultArchiveLimits;
  }

  async run(): Promise<readonly UnpackedFile[]> {
    const { writeKitfile, progress } = this.#options;
    const { kitfile } = this.#kit;
    const wanted = this.#wanted;
    progress?.expect(wanted.reduce((sum, { layer }) => sum + layer.descriptor.size, 0));
    const unpacked: (readonly ExtractedFile[])[] = [];
    let next = 0;
    const worker = async () => {
      for (let i = next++; i < wanted.length && !this.#failed; i = next++)
        unpacked[i] = await this.#layer(wanted[i]!, i);
    };
    const ends = await Promise.allSettled(
      Array.from({ length: layersAtOnce }, () =>
        worker().catch((error) => {
          this.#failed = true;
          throw error;
        }),
      ),
    );
    const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    if (failures.length > 0) throw failures.find((error) => !(error instanceof Stopped)) ?? failures[0];
    const files = wanted.flatMap(({ layer: { kind } }, i) =>
      unpacked[i]!.map((file) => Object.freeze({ ...file, kind })),
    );
    if (writeKitfile && kitfile !== undefined) {
      this.#names.addFile("Kitfile");
      const { name, size, content } = memoryFile("Kitfile", utf8(formatKitfile(kitfile)));
      await writeFile(this.#staging.files, name, size, content(), { bytes: 0 });
    }
    return files;
  }

  async #layer(wanted: WantedLayer, i: number): Promise<readonly ExtractedFile[]> {
    const { layers, files } = this.#staging;
    const { layer } = wanted;
    if (layer.compression !== "none") {
      const kept = await StagedBlob.open(layers, i);
      const content = contentOf(layer, kept.watched(this.#blob(wanted, kept)));
      return layer.packing === "tar" ? this.#tar(layer, content) : [await this.#raw(layer, content)];
    }
    if (layer.packing === "raw") {
      const kept = await StagedRaw.open(files, this.#pathOf(layer));
      return [await this.#raw(layer, contentOf(layer, this.#blob(wanted, kept)), kept.bytes)];
    }
    const kept = await StagedTar.open(layers, i, files);
    try {
      return await this.#tar(layer, kept.watched(contentOf(layer, this.#blob(wanted, kept))), kept);
    } finally {
      await kept.close();
    }
  }

  async #tar(
    layer: ModelLayer,
    content: AsyncIterable<Uint8Array>,
    kept?: StagedTar,
  ): Promise<readonly ExtractedFile[]> {
    const extracted: ExtractedFile[] = [];
    const place = placeIn(layer);
    for await (const { name, size, offset, content: bytes } of readTar(content, this.#limits, this.#names, place)) {
      await kept?.reached(name, offset, size);
      const begun = { bytes: kept?.begun.get(name) ?? 0 };
      extracted.push(await writeFile(this.#staging.files, name, size, bytes, begun));
    }
    return extracted;
  }

  async #raw(layer: ModelLayer, content: AsyncIterable<Uint8Array>, begun = 0): Promise<ExtractedFile> {
    const path = this.#pathOf(layer);
    const { size } = layer.descriptor;
    if (size > this.#limits.maxBytes) throw new OciError("too-large", `${path} is too large`);
    this.#names.addFile(path);
    return writeFile(this.#staging.files, path, size, content, { bytes: begun });
  }

  #pathOf({ path, descriptor }: ModelLayer): string {
    if (path !== undefined) return checkEntryName(path);
    throw new OciError("modelkit-invalid", `the layer ${descriptor.digest} is a plain file, and nothing names it`);
  }

  /** The layer's blob: what is here of it, then the rest, checked by whoever gives it. */
  async *#blob(
    { layer: { descriptor }, from }: WantedLayer,
    kept: { readonly bytes: number; beginning(): AsyncIterable<Uint8Array> },
  ): AsyncGenerator<Uint8Array> {
    const { progress } = this.#options;
    this.begunBytes += kept.bytes;
    let left = Math.min(kept.bytes, descriptor.size);
    const begun = kept.bytes > 0 ? kept.beginning() : undefined;
    for await (const chunk of from.blob(descriptor, begun)) {
      if (this.#failed) throw new Stopped();
      const here = Math.min(left, chunk.length);
      left -= here;
      if (here > 0) progress?.advance(here, "kept");
      if (chunk.length > here) progress?.advance(chunk.length - here, "done");
      yield chunk;
    }
  }
}

/** Another layer failed, and the model with it. */
class Stopped extends OciError {
  constructor() {
    super("aborted", "another layer failed");
  }
}
