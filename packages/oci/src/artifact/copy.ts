import type { Digest } from "@tally/evidence";
import { OciError } from "../error.ts";
import type { Progress } from "../progress.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import type { Descriptor } from "./descriptor.ts";
import { partsOf } from "./manifest.ts";
import { manifestKind } from "./media-types.ts";
import type { ArtifactSource, ArtifactTarget, ResolvedManifest } from "./transfer.ts";

export interface CopyOptions {
  /** The tag to set at the target; none by default. */
  readonly tag?: string;
  /** What refers to the artifact comes along: all of it, or what has one of these artifact types; nothing by default. */
  readonly referrers?: "all" | readonly string[];
  /** More manifests than this are refused, since anyone may attach anything to a public artifact; 10,000 by default. */
  readonly mostManifests?: number;
  /** A repository of the target's registry that may hold some of the blobs: what it has need not be sent. */
  readonly mountFrom?: string;
  readonly progress?: Progress;
  /** Has to resolve before a manifest is pushed. Where it rejects, copying ends with its error, and what was sent has no name. */
  readonly condition?: Promise<unknown>;
}

/** Blobs that are under way at a time: a link of long delay is filled, and memory stays bounded. */
const blobsAtOnce = 3;

export interface Copied {
  readonly digest: Digest;
  /** Manifests at the target now, in the order in which they became available. */
  readonly manifests: readonly Digest[];
  readonly sent: number;
  /** Blobs that were there already. */
  readonly present: number;
}

/**
 * Copies an artifact with its exact bytes between registries and image layouts: layout → registry is a push, registry →
 * layout a pull. A tag is resolved once, and everything after that goes by digest, so that a tag that moves meanwhile mixes
 * nothing. Blobs come before the manifests that name them, referrers after their subject.
 */
export async function copyArtifact(
  source: ArtifactSource,
  target: ArtifactTarget,
  reference: string,
  options: CopyOptions = {},
): Promise<Copied> {
  const copy = new Copy(source, target, options);
  const root = await source.resolve(reference);
  try {
    await copy.manifest(root, options.tag);
  } catch (error) {
    throw copy.forbidden === undefined ? error : copy.forbidden.error;
  }
  return { digest: root.digest, manifests: copy.manifests, sent: copy.sent, present: copy.present };
}

class Copy {
  readonly manifests: Digest[] = [];
  sent = 0;
  present = 0;
  /** Why the condition does not hold. */
  forbidden: { readonly error: unknown } | undefined;
  readonly #source: ArtifactSource;
  readonly #target: ArtifactTarget;
  readonly #options: CopyOptions;
  readonly #begun = new Set<ContentDigest>();

  constructor(source: ArtifactSource, target: ArtifactTarget, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    options.condition?.catch((error: unknown) => {
      this.forbidden = { error };
    });
  }

  async manifest({ descriptor, digest, manifest, bytes, mediaType }: ResolvedManifest, tag?: string): Promise<void> {
    const { mostManifests = 10_000 } = this.#options;
    if (this.#begun.has(descriptor.digest)) return;
    this.#begun.add(descriptor.digest);
    if (this.#begun.size > mostManifests) {
      throw new OciError("too-large", `more than ${mostManifests} manifests belong to this artifact`, {
        hint: "copy only the artifact types that you need, or raise the limit",
      });
    }
    const blobs: Descriptor[] = [];
    for (const part of partsOf(manifest)) {
      if (manifest.kind === "index" && manifestKind(part.mediaType) !== undefined) {
        await this.manifest(await this.#source.manifest(part.digest));
      } else if (!blobs.some((blob) => blob.digest === part.digest)) {
        blobs.push(part);
      }
    }
    await this.#blobs(blobs);
    await this.#options.condition;
    await this.#target.pushManifest(bytes, mediaType, tag);
    this.manifests.push(digest);
    await this.#referrersOf(descriptor.digest);
  }

  async #blobs(blobs: readonly Descriptor[]): Promise<void> {
    this.#options.progress?.expect(blobs.reduce((sum, { size }) => sum + size, 0));
    let next = 0;
    const worker = async () => {
      try {
        for (let blob = blobs[next++]; blob !== undefined; blob = blobs[next++]) await this.#blob(blob);
      } catch (error) {
        next = blobs.length; // The others end after the blob that they are at.
        throw error;
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: Math.min(blobsAtOnce, blobs.length) }, worker));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #blob(blob: Descriptor): Promise<void> {
    const { mountFrom, progress } = this.#options;
    const permit = () => {
      if (this.forbidden !== undefined) throw new OciError("signature-invalid", `${blob.digest} is not to be sent`);
    };
    permit();
    let furthest = 0;
    const content = async function* (source: ArtifactSource) {
      // What is read a second time, because a connection broke, was counted before.
      let at = 0;
      for await (const chunk of source.lentBlob?.(blob) ?? source.blob(blob)) {
        permit();
        at += chunk.length;
        if (at > furthest) progress?.advance(at - furthest, "done");
        furthest = Math.max(furthest, at);
        yield chunk;
      }
    };
    const how = await this.#target.pushBlob(blob, () => content(this.#source), mountFrom);
    this[how] += 1;
    if (blob.size > furthest) progress?.advance(blob.size - furthest, "kept");
  }

  async #referrersOf(subject: ContentDigest): Promise<void> {
    const { referrers = [] } = this.#options;
    for (const artifactType of referrers === "all" ? [undefined] : new Set(referrers)) {
      for await (const referrer of this.#source.referrers(subject, artifactType)) {
        if (this.#begun.has(referrer.digest)) continue;
        const resolved = await this.#source.manifest(referrer.digest);
        // By its own bytes, which a digest covers: so what refers to each other in a circle cannot be.
        if (resolved.manifest.subject?.digest !== subject) {
          throw new OciError("protocol", `${referrer.digest} is listed as referring to ${subject}, and does not`, {
            hint: "the list is not what the registry holds: ask who runs it, or copy without referrers",
          });
        }
        await this.manifest(resolved);
      }
    }
  }
}
