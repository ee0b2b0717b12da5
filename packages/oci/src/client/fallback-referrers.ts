import type { Descriptor } from "../artifact/descriptor.ts";
import { encodeImageIndex } from "../artifact/manifest.ts";
import { referrersTag } from "../artifact/reference.ts";
import type { ArtifactTarget, ResolvedManifest } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import type { ContentDigest } from "../storage/content-digest.ts";

const mostTries = 20;
/** Milliseconds. */
const longestWait = 1000;

/** What is needed of a registry that has no referrers API. */
export interface TaggedIndexes extends Pick<ArtifactTarget, "pushManifest"> {
  resolve(tag: string): Promise<ResolvedManifest>;
}

/** The list kept under the referrers tag; undefined when there is none, or something else has its name. */
export async function fallbackReferrers(
  registry: Pick<TaggedIndexes, "resolve">,
  subject: ContentDigest,
): Promise<readonly Descriptor[] | undefined> {
  try {
    const { manifest } = await registry.resolve(referrersTag(subject));
    return manifest.kind === "index" ? manifest.manifests : undefined;
  } catch (error) {
    if (error instanceof OciError && error.code === "not-found") return undefined;
    if (error instanceof OciError && error.code === "too-large") throw tooLong(subject, error);
    throw error;
  }
}

/** One manifest holds the whole list, and registries take none that is larger: some ten thousand referrers. */
function tooLong(subject: ContentDigest, cause: OciError): OciError {
  return new OciError(
    "too-large",
    `the list of referrers under the tag ${referrersTag(subject)} is too long: ${cause.message}`,
    {
      cause,
      hint: "this registry has no referrers API; so many need one that has",
    },
  );
}

/**
 * Adds a descriptor to the list under the referrers tag (distribution-spec, "Pushing Manifests with Subject"). Clients race
 * here and the last writer wins: whoever read the list before this one wrote it may still write it without the new entry. So
 * once it is in, the list is looked at again after a time that another's reading and writing should be done in, and written
 * again if the entry is gone. Other processes are hereby made unlikely to lose it, not unable: registries cannot compare and
 * set. Clients in this process take turns.
 */
export async function addFallbackReferrer(
  registry: TaggedIndexes,
  subject: ContentDigest,
  referrer: Descriptor,
): Promise<void> {
  const tag = referrersTag(subject);
  for (let tries = 0, took = 0; tries <= mostTries; tries += 1) {
    if (took > 0) await new Promise((resolve) => setTimeout(resolve, took));
    const began = performance.now();
    const listed = await currentList(registry, tag);
    if (listed.some(({ digest }) => digest === referrer.digest)) return;
    const { bytes, descriptor } = encodeImageIndex([...listed, referrer]);
    await registry.pushManifest(bytes, descriptor.mediaType, tag);
    // Not the same for all who race, so that they fall out of step.
    took = Math.min(longestWait, (performance.now() - began) * (1 + Math.random()));
  }
  throw new OciError("busy", `others keep overwriting the list of referrers ${tag}`, {
    hint: "attach again when they are done",
  });
}

/** Takes a descriptor off the list under the referrers tag, if there is such a list and it is on it. */
export async function removeFallbackReferrer(
  registry: TaggedIndexes,
  subject: ContentDigest,
  referrer: ContentDigest,
): Promise<void> {
  const listed = (await fallbackReferrers(registry, subject)) ?? [];
  const others = listed.filter(({ digest }) => digest !== referrer);
  if (others.length === listed.length) return;
  const { bytes, descriptor } = encodeImageIndex(others);
  await registry.pushManifest(bytes, descriptor.mediaType, referrersTag(subject));
}

async function currentList(registry: TaggedIndexes, tag: string): Promise<readonly Descriptor[]> {
  try {
    const { manifest } = await registry.resolve(tag);
    if (manifest.kind === "index") return manifest.manifests;
  } catch (error) {
    if (error instanceof OciError && error.code === "not-found") return [];
    throw error;
  }
  throw new OciError("refused", `tag ${tag} should hold a list of referrers and holds an image`);
}
