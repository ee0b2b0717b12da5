export { type Copied, type CopyOptions, copyArtifact } from "./copy.ts";
export {
  type Annotations,
  type Descriptor,
  describe,
  emptyBytes,
  emptyDescriptor,
  parseDescriptor,
} from "./descriptor.ts";
export {
  encodeImageIndex,
  encodeImageManifest,
  type ImageIndex,
  type ImageManifest,
  type ImageParts,
  largestManifest,
  type Manifest,
  parseManifest,
  partsOf,
  referrerDescriptor,
} from "./manifest.ts";
export { isMediaType, manifestKind, manifestTypes, mediaTypes } from "./media-types.ts";
export {
  type ManifestReference,
  parseArtifactName,
  parseManifestReference,
  parseRepository,
  parseTag,
  referrersTag,
} from "./reference.ts";
export {
  filterParameters,
  formatTime,
  isDeviceName,
  matchesFilter,
  parseTime,
  type ReferrerFilter,
  referrerAnnotations,
  traitsOf,
} from "./referrer-filter.ts";
export type { ArtifactSource, ArtifactTarget, RepositoryName, ResolvedManifest } from "./transfer.ts";
