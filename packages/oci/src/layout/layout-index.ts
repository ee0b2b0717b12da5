import { asObject, type Descriptor, parseDescriptor } from "../artifact/descriptor.ts";
import { mediaTypes } from "../artifact/media-types.ts";
import { parseTag } from "../artifact/reference.ts";
import { OciError } from "../error.ts";

/** The annotation by which an image layout says what a manifest is called (image-spec, annotations.md). */
export const refNameAnnotation = "org.opencontainers.image.ref.name";

/** Parses `index.json`. Throws `layout-invalid`. */
export function parseLayoutIndex(bytes: Uint8Array): readonly Descriptor[] {
  try {
    const json = asObject(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), "index.json");
    if (json.schemaVersion !== 2 || !Array.isArray(json.manifests)) throw new Error("it is not an image index");
    return json.manifests.map((item, i) => parseDescriptor(item, `manifests[${i}]`));
  } catch (cause) {
    throw new OciError("layout-invalid", `index.json cannot be used: ${(cause as Error).message}`, { cause });
  }
}

export function formatLayoutIndex(manifests: readonly Descriptor[]): string {
  return `${JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests }, null, 2)}\n`;
}

export function tagOf(descriptor: Descriptor): string | undefined {
  return descriptor.annotations?.[refNameAnnotation];
}

/**
 * The list with a manifest added, under a tag if one is given. A tag that named another manifest moves; that other one stays
 * listed without it, so that nothing becomes unreachable.
 */
export function withManifest(manifests: readonly Descriptor[], added: Descriptor, tag?: string): Descriptor[] {
  if (tag !== undefined) parseTag(tag);
  const sameDigest = ({ digest }: Descriptor) => digest === added.digest;
  if (tag === undefined) return manifests.some(sameDigest) ? [...manifests] : [...manifests, added];
  const others = manifests.filter((item) => !(sameDigest(item) && tagOf(item) === undefined));
  const moved = others.flatMap((item) => {
    if (tagOf(item) !== tag) return [item];
    const elsewhere = sameDigest(item) || others.some((other) => other !== item && other.digest === item.digest);
    return elsewhere ? [] : [withoutTag(item)];
  });
  return [...moved, { ...added, annotations: { ...added.annotations, [refNameAnnotation]: tag } }];
}

function withoutTag({ annotations, ...descriptor }: Descriptor): Descriptor {
  const { [refNameAnnotation]: _, ...rest } = annotations ?? {};
  return Object.keys(rest).length === 0 ? descriptor : { ...descriptor, annotations: rest };
}
