import { OciError } from "../error.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import {
  type Annotations,
  asObject,
  type Descriptor,
  describe,
  emptyDescriptor,
  invalid,
  parseAnnotations,
  parseArtifactType,
  parseDescriptor,
} from "./descriptor.ts";
import { isMediaType, manifestKind, mediaTypes } from "./media-types.ts";

/** The distribution specification asks for at least this; nothing larger is taken or read. */
export const largestManifest = 4 * 1024 * 1024;

/** Config and layers (image-spec, manifest.md). */
export interface ImageManifest {
  readonly kind: "image";
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations: Annotations;
}

/** A list of manifests (image-spec, image-index.md). */
export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations: Annotations;
}

export type Manifest = ImageManifest | ImageIndex;

/**
 * Parses the bytes of an image manifest or index. `contentType` is what the transport called it; a `mediaType` inside must
 * agree, and bytes that could be read as both kinds are refused. Throws `media-type-invalid` or `manifest-invalid`.
 */
export function parseManifest(bytes: Uint8Array, contentType?: string): Manifest {
  const json = asObject(parseJson(bytes), "the manifest");
  const inside = json.mediaType;
  if (inside !== undefined && (typeof inside !== "string" || !isMediaType(inside))) {
    throw invalid("mediaType", "must be a media type");
  }
  const mediaType = contentType ?? inside;
  if (mediaType === undefined) throw new OciError("media-type-invalid", "nothing says which type of manifest this is");
  if (inside !== undefined && inside !== mediaType) {
    throw new OciError("media-type-invalid", `the manifest calls itself ${inside}, but it was sent as ${mediaType}`);
  }
  const kind = manifestKind(mediaType);
  if (kind === undefined) throw new OciError("media-type-invalid", `${mediaType} is not a type of manifest known here`);
  if (json.schemaVersion !== 2) throw invalid("schemaVersion", "must be 2");
  return kind === "image" ? parseImage(json, mediaType) : parseIndex(json, mediaType);
}

/** What a manifest says that its registry must hold: its parts, not its subject. Content at other addresses is left out. */
export function partsOf(manifest: Manifest): readonly Descriptor[] {
  const parts = manifest.kind === "image" ? [manifest.config, ...manifest.layers] : manifest.manifests;
  return parts.filter((part) => part.urls === undefined || part.urls.length === 0);
}

/** How a list of referrers describes a manifest: with its annotations, and its config's type where it has no artifactType. */
export function referrerDescriptor(manifest: Manifest, digest: ContentDigest, size: number): Descriptor {
  const artifactType = manifest.artifactType ?? (manifest.kind === "image" ? manifest.config.mediaType : undefined);
  return Object.freeze({
    mediaType: manifest.mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(manifest.annotations).length === 0 ? {} : { annotations: manifest.annotations }),
  });
}

export interface ImageParts {
  artifactType?: string;
  /** The empty descriptor when absent. */
  config?: Descriptor;
  layers: readonly Descriptor[];
  subject?: Descriptor;
  annotations?: Annotations;
}

/** Writes an OCI image manifest; the same parts give the same bytes. */
export function encodeImageManifest(parts: ImageParts): { bytes: Uint8Array; descriptor: Descriptor } {
  return encode(mediaTypes.imageManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.imageManifest,
    ...(parts.artifactType === undefined ? {} : { artifactType: parts.artifactType }),
    config: parts.config ?? emptyDescriptor,
    layers: parts.layers,
    ...(parts.subject === undefined ? {} : { subject: withoutExtras(parts.subject) }),
    ...(parts.annotations === undefined ? {} : { annotations: parts.annotations }),
  });
}

/** Writes an OCI image index. */
export function encodeImageIndex(
  manifests: readonly Descriptor[],
  more: { artifactType?: string; subject?: Descriptor; annotations?: Annotations } = {},
): { bytes: Uint8Array; descriptor: Descriptor } {
  return encode(mediaTypes.imageIndex, {
    schemaVersion: 2,
    mediaType: mediaTypes.imageIndex,
    ...(more.artifactType === undefined ? {} : { artifactType: more.artifactType }),
    manifests,
    ...(more.subject === undefined ? {} : { subject: withoutExtras(more.subject) }),
    ...(more.annotations === undefined ? {} : { annotations: more.annotations }),
  });
}

function encode(mediaType: string, json: object): { bytes: Uint8Array; descriptor: Descriptor } {
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  if (bytes.length > largestManifest) {
    throw new OciError(
      "too-large",
      `the manifest has ${bytes.length} bytes; registries take at most ${largestManifest}`,
    );
  }
  return { bytes, descriptor: describe(mediaType, bytes) };
}

function withoutExtras({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function parseImage(json: Record<string, unknown>, mediaType: string): ImageManifest {
  if (json.manifests !== undefined) throw invalid("an image manifest", "must not have `manifests`, which an index has");
  if (!Array.isArray(json.layers)) throw invalid("layers", "must be a list");
  return Object.freeze({
    kind: "image",
    mediaType,
    config: parseDescriptor(json.config, "config"),
    layers: Object.freeze(json.layers.map((layer, i) => parseDescriptor(layer, `layers[${i}]`))),
    ...parseShared(json),
  });
}

function parseIndex(json: Record<string, unknown>, mediaType: string): ImageIndex {
  if (json.layers !== undefined || json.config !== undefined) {
    throw invalid("an index", "must not have `config` or `layers`, which an image manifest has");
  }
  if (!Array.isArray(json.manifests)) throw invalid("manifests", "must be a list");
  return Object.freeze({
    kind: "index",
    mediaType,
    manifests: Object.freeze(json.manifests.map((item, i) => parseDescriptor(item, `manifests[${i}]`))),
    ...parseShared(json),
  });
}

function parseShared(json: Record<string, unknown>): Pick<ImageManifest, "artifactType" | "subject" | "annotations"> {
  const { artifactType, subject, annotations } = json;
  return {
    ...(artifactType === undefined || artifactType === ""
      ? {}
      : { artifactType: parseArtifactType(artifactType, "artifactType") }),
    ...(subject === undefined || subject === null ? {} : { subject: parseDescriptor(subject, "subject") }),
    annotations:
      annotations === undefined || annotations === null
        ? Object.freeze({})
        : parseAnnotations(annotations, "annotations"),
  };
}

function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length > largestManifest) {
    throw new OciError("too-large", `a manifest has at most ${largestManifest} bytes, this has ${bytes.length}`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw invalid("the manifest", "must be JSON in UTF-8", cause);
  }
}
