import { bundleMediaType, type Digest } from "@tally/evidence";
import { type CarrierWriter, copyArtifact, isSegment, type RegistryClient } from "@tally/oci";
import type { CarriedNames } from "./carried-names.ts";

/** Puts what refers to a model into the layout, but segments and evidence, and returns how many that were. */
export async function exportAttached(
  writer: CarrierWriter,
  source: RegistryClient,
  model: Digest,
  repository: string,
  names: CarriedNames,
): Promise<number> {
  let attached = 0;
  for await (const { digest, artifactType } of source.referrers(model)) {
    // Evidence of an earlier import or export: what is asked for now says more.
    if (artifactType === bundleMediaType || isSegment((await source.manifest(digest)).manifest)) continue;
    const { manifests } = await copyArtifact(source, writer, digest, { referrers: "all" });
    names.add(repository, "attached", manifests);
    attached += 1;
  }
  return attached;
}
