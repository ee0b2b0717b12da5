import { type JsonObject, type JsonValue, parseJson } from "@tally/evidence";
import type { Descriptor } from "../artifact/descriptor.ts";
import type { ImageManifest } from "../artifact/manifest.ts";
import type { ArtifactSource, ResolvedManifest } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import type { Kitfile } from "./kitfile.ts";
import { type LayerType, modelKitTypes, modelPackTypes, parseLayerType } from "./layer-types.ts";
import { parseKitConfig } from "./parse-kitfile.ts";
import { partsOfKitfile } from "./parts.ts";

const largestConfig = 4 * 1024 * 1024;
const filePathAnnotation = "org.cncf.model.filepath";

/** One layer of a model artifact. */
export interface ModelLayer extends LayerType {
  readonly descriptor: Descriptor;
  /** Where it belongs: the path in the Kitfile, or the one a ModelPack annotates. */
  readonly path?: string;
  /** The folder that the names in its tar are relative to, where that is not the kit's. */
  readonly under?: string;
  /** Digest of the layer before compression, as the config has it. */
  readonly diffId?: string;
}

/** A model artifact that was recognised and whose config was read; its layers are still where they were. */
export interface ModelKit {
  readonly format: "modelkit" | "modelpack";
  readonly resolved: ResolvedManifest;
  readonly manifest: ImageManifest;
  /** ModelKits have one. */
  readonly kitfile?: Kitfile;
  /** The config as it stands. */
  readonly config: JsonObject;
  readonly layers: readonly ModelLayer[];
}

/**
 * Reads what a tag or digest names as a ModelKit or a ModelPack, recognised by its artifact type or by its config's type.
 * Throws `modelkit-invalid` when it is neither, or contradicts itself.
 */
export async function readModelKit(source: ArtifactSource, reference: string): Promise<ModelKit> {
  const resolved = await source.resolve(reference);
  const { manifest } = resolved;
  const format = formatOf(resolved);
  if (manifest.kind !== "image" || format === undefined) {
    const type = manifest.artifactType ?? (manifest.kind === "image" ? manifest.config.mediaType : manifest.mediaType);
    throw new OciError("modelkit-invalid", `${reference} is ${type}, not a ModelKit or a ModelPack`);
  }
  const bytes = await configBytes(source, manifest.config);
  const config = configObject(bytes);
  const shared = { format, resolved, manifest, config };
  if (format === "modelpack") return Object.freeze({ ...shared, layers: modelPackLayers(manifest, config) });
  const kitfile = parseKitConfig(bytes);
  return Object.freeze({ ...shared, kitfile, layers: modelKitLayers(manifest, kitfile) });
}

function formatOf({ manifest }: ResolvedManifest): ModelKit["format"] | undefined {
  const types = [manifest.artifactType, manifest.kind === "image" ? manifest.config.mediaType : undefined];
  if (types.includes(modelKitTypes.artifact) || types.includes(modelKitTypes.config)) return "modelkit";
  if (types.includes(modelPackTypes.artifact) || types.includes(modelPackTypes.config)) return "modelpack";
  return undefined;
}

async function configBytes(source: ArtifactSource, descriptor: Descriptor): Promise<Uint8Array> {
  if (descriptor.size > largestConfig) throw new OciError("too-large", "the config of a model has at most 4 MiB");
  return Buffer.concat(await Array.fromAsync(source.blob(descriptor)));
}

function configObject(bytes: Uint8Array): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(bytes);
  } catch (cause) {
    throw new OciError("modelkit-invalid", `the model's config cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new OciError("modelkit-invalid", "the model's config is not an object");
  }
  return value as JsonObject;
}

/** Layers of a kind stand in the order of the Kitfile's parts of that kind; digests in the config must agree. */
function modelKitLayers(manifest: ImageManifest, kitfile: Kitfile): readonly ModelLayer[] {
  const parts = [...partsOfKitfile(kitfile)];
  const layers = manifest.layers.map((descriptor): ModelLayer => {
    const type = parseLayerType(descriptor.mediaType);
    if (type.kind === "other") return Object.freeze({ descriptor, ...type });
    const part = parts.find((candidate) => candidate.kind === type.kind);
    if (part === undefined) {
      throw new OciError("modelkit-invalid", `the manifest has a ${type.kind} layer more than the Kitfile`);
    }
    parts.splice(parts.indexOf(part), 1);
    const { digest, diffId } = part.layer;
    if (digest !== undefined && digest !== descriptor.digest) {
      throw new OciError(
        "modelkit-invalid",
        `the Kitfile says that ${part.path || "."} is ${digest}, the manifest ${descriptor.digest}`,
      );
    }
    // Kits whose config does not name the layers' digests are older, and have names relative to the folder of the part (KitOps, unpack.go).
    const under = digest === undefined ? folderOf(part.path) : "";
    return Object.freeze({
      descriptor,
      ...type,
      path: part.path,
      ...(under && { under }),
      ...(diffId === undefined ? {} : { diffId }),
    });
  });
  const [missing] = parts;
  if (missing !== undefined) {
    throw new OciError(
      "modelkit-invalid",
      `the Kitfile names ${missing.path || "."}, but the manifest has no layer for it`,
    );
  }
  return Object.freeze(layers);
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function modelPackLayers(manifest: ImageManifest, config: JsonObject): readonly ModelLayer[] {
  const diffIds = diffIdsOf(config);
  const listed = diffIds?.length === manifest.layers.length ? diffIds : undefined;
  return Object.freeze(
    manifest.layers.map((descriptor, i) => {
      const path = descriptor.annotations?.[filePathAnnotation];
      const diffId = listed?.[i];
      return Object.freeze({
        descriptor,
        ...parseLayerType(descriptor.mediaType),
        ...(path === undefined ? {} : { path }),
        ...(typeof diffId === "string" ? { diffId } : {}),
      });
    }),
  );
}

function diffIdsOf({ modelfs }: JsonObject): readonly JsonValue[] | undefined {
  if (typeof modelfs !== "object" || modelfs === null || Array.isArray(modelfs)) return undefined;
  const { diffIds } = modelfs as JsonObject;
  return Array.isArray(diffIds) ? diffIds : undefined;
}
