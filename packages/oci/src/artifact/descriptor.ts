import { OciError } from "../error.ts";
import { algorithmOf, type ContentDigest, contentDigestOf, parseContentDigest } from "../storage/content-digest.ts";
import { isMediaType, mediaTypes } from "./media-types.ts";

export type Annotations = Readonly<Record<string, string>>;

/** Names some content: what it is, which bytes, how many (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: ContentDigest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Annotations;
  readonly urls?: readonly string[];
  /** The content itself, base64, when it is small. */
  readonly data?: string;
  readonly platform?: Readonly<Record<string, unknown>>;
}

/** The bytes `{}`, which stand where a config or layer is required and there is none. */
export const emptyBytes: Uint8Array = new TextEncoder().encode("{}");

export const emptyDescriptor: Descriptor = Object.freeze({
  mediaType: mediaTypes.empty,
  digest: parseContentDigest("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
  size: 2,
});

/** Describes bytes in memory. */
export function describe(
  mediaType: string,
  bytes: Uint8Array,
  more: Pick<Descriptor, "annotations" | "artifactType"> = {},
): Descriptor {
  return Object.freeze({ mediaType, digest: contentDigestOf(bytes), size: bytes.length, ...more });
}

/** Parses a descriptor out of JSON; `where` names it in errors, as in `layers[2]`. Throws `manifest-invalid`. */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  const { mediaType, digest, size, artifactType, annotations, urls, data, platform } = asObject(value, where);
  if (typeof mediaType !== "string" || !isMediaType(mediaType))
    throw invalid(`${where}.mediaType`, "must be a media type");
  if (typeof digest !== "string") throw invalid(`${where}.digest`, "must be a digest");
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw invalid(`${where}.size`, "must be a number of bytes");
  const descriptor: Descriptor = {
    mediaType,
    digest: parseDigestAt(digest, `${where}.digest`),
    size: size as number,
    ...(artifactType === undefined ? {} : { artifactType: parseArtifactType(artifactType, `${where}.artifactType`) }),
    ...(annotations === undefined ? {} : { annotations: parseAnnotations(annotations, `${where}.annotations`) }),
    ...(urls === undefined ? {} : { urls: parseUrls(urls, `${where}.urls`) }),
    ...(data === undefined ? {} : { data: parseData(data, `${where}.data`) }),
    ...(platform === undefined ? {} : { platform: Object.freeze({ ...asObject(platform, `${where}.platform`) }) }),
  };
  if (descriptor.data !== undefined) requireEmbedded(descriptor, descriptor.data, where);
  return Object.freeze(descriptor);
}

export function parseAnnotations(value: unknown, where: string): Annotations {
  const entries = Object.entries(asObject(value, where));
  for (const [key, text] of entries) {
    if (typeof text !== "string") throw invalid(`${where}[${JSON.stringify(key)}]`, "must be text");
  }
  return Object.freeze(Object.fromEntries(entries)) as Annotations;
}

export function parseArtifactType(value: unknown, where: string): string {
  if (typeof value !== "string" || !isMediaType(value)) throw invalid(where, "must be a media type");
  return value;
}

export function asObject(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(where, "must be an object");
  return value as Record<string, unknown>;
}

export function invalid(where: string, why: string, cause?: unknown): OciError {
  return new OciError("manifest-invalid", `${where} ${why}`, { cause });
}

function parseDigestAt(text: string, where: string): ContentDigest {
  try {
    return parseContentDigest(text);
  } catch (cause) {
    throw invalid(where, `is wrong: ${(cause as Error).message}`, cause);
  }
}

function parseUrls(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value) || !value.every((url) => typeof url === "string"))
    throw invalid(where, "must be a list of URLs");
  return Object.freeze([...value]);
}

function parseData(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0) {
    throw invalid(where, "must be base64");
  }
  return value;
}

/** Embedded content that is not what the descriptor says would be two answers to one question. */
function requireEmbedded({ digest, size }: Descriptor, data: string, where: string): void {
  const bytes = Buffer.from(data, "base64");
  if (bytes.length !== size || contentDigestOf(bytes, algorithmOf(digest)) !== digest) {
    throw invalid(`${where}.data`, "is not the content that size and digest name");
  }
}
