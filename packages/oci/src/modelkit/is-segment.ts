import type { Manifest } from "../artifact/manifest.ts";
import { modelKitTypes } from "./layer-types.ts";

/** Whether a manifest is a segment's: a ModelKit whose subject is the model that its records are of. */
export function isSegment(manifest: Manifest): boolean {
  if (manifest.subject === undefined || manifest.kind !== "image") return false;
  return manifest.artifactType === modelKitTypes.artifact || manifest.config.mediaType === modelKitTypes.config;
}
