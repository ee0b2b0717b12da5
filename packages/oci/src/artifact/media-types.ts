// Media types of the OCI image specification 1.1 and of the Docker formats that it grew from.

export const mediaTypes = Object.freeze({
  imageManifest: "application/vnd.oci.image.manifest.v1+json",
  imageIndex: "application/vnd.oci.image.index.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  empty: "application/vnd.oci.empty.v1+json",
  octetStream: "application/octet-stream",
});

const imageTypes: readonly string[] = [mediaTypes.imageManifest, mediaTypes.dockerManifest];
const indexTypes: readonly string[] = [mediaTypes.imageIndex, mediaTypes.dockerManifestList];

/** Every type of manifest that is understood here, the one to prefer first. */
export const manifestTypes: readonly string[] = Object.freeze([...imageTypes, ...indexTypes]);

export function manifestKind(mediaType: string): "image" | "index" | undefined {
  if (imageTypes.includes(mediaType)) return "image";
  return indexTypes.includes(mediaType) ? "index" : undefined;
}

/** Whether the text is a `type/subtype` of RFC 6838 section 4.2, without parameters. */
export function isMediaType(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/.test(text);
}

/** `type/subtype` of a Content-Type header, lower case, its parameters dropped: the specification ignores them. */
export function mediaTypeOfHeader(header: string | null | undefined): string | undefined {
  const type = header?.split(";", 1)[0]?.trim().toLowerCase();
  return type === "" ? undefined : type;
}
