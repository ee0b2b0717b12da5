import type { Digest } from "@tally/evidence";
import type { ByteSource } from "../storage/blob-store.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Manifest } from "./manifest.ts";
import type { ReferrerFilter } from "./referrer-filter.ts";

/** A manifest whose bytes were checked against the digest it was asked for by. */
export interface ResolvedManifest {
  /** The sha256 of the bytes: the identity of the artifact. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  /** As asked for; its digest differs from `digest` only where a sha512 was asked for. */
  readonly descriptor: Descriptor;
}

/** Where artifacts can be read: a repository of a registry, or an image layout. */
export interface ArtifactSource {
  /** By tag or digest. Throws `not-found`, `digest-mismatch`, and what the transport throws. */
  resolve(reference: string): Promise<ResolvedManifest>;
  manifest(digest: ContentDigest): Promise<ResolvedManifest>;
  /**
   * A blob, checked while it streams: the last step throws `digest-mismatch` or `size-mismatch` when these were not the
   * bytes, so nothing may be used before the stream has ended well. A descriptor's size is enforced from the first chunk.
   * `begun` yields the blob's first bytes as they are here from before: a source that fetches over a network hashes and yields
   * these and fetches what comes after them; others may leave it alone.
   */
  blob(content: ContentDigest | Descriptor, begun?: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /**
   * The same in chunks that are *lent*: each is good until the next is asked for. For those who pass them on at once, since a source that
   * fills the same memory again costs half of one that allocates.
   */
  lentBlob?(blob: Descriptor): AsyncIterable<Uint8Array>;
  /** The path of a blob that lies in a file of its own, for those who read it with threads. It is not checked. */
  blobPath?(digest: ContentDigest): string;
  /** Manifests whose subject is this digest: all, those of an artifact type, or what a filter asks for. */
  referrers(subject: ContentDigest, filter?: string | ReferrerFilter): AsyncIterable<Descriptor>;
  /** Where to look for what an artifact here names; undefined where it is not to be looked for. Absent: nowhere. */
  base?(name: RepositoryName): ArtifactSource | undefined;
}

/** A repository that an artifact names, perhaps at a host. */
export interface RepositoryName {
  readonly host?: string;
  readonly repository: string;
}

/** Where artifacts can be written, blobs before the manifests that name them. */
export interface ArtifactTarget {
  hasBlob(digest: ContentDigest): Promise<boolean>;
  /**
   * Sends a blob unless it is there already, or can be taken over from the repository `mountFrom` of the same registry. Content
   * that can be had again is gone on with where a connection broke.
   */
  pushBlob(
    blob: { digest: ContentDigest; size: number },
    content: ByteSource | (() => ByteSource),
    mountFrom?: string,
  ): Promise<"sent" | "present">;
  /**
   * Stores what the source yields under the digest that this turns out to have, where a target can do that in one pass; one
   * that has to name the digest first cannot. A chunk is done with when the next is asked for.
   */
  addBlob?(content: AsyncIterable<Uint8Array>): Promise<{ digest: Digest; size: number }>;
  /** Stores the exact bytes, under a tag if one is given. */
  pushManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<{ digest: Digest }>;
}
