import type { Digest } from "@tally/evidence";
import type { Descriptor } from "../artifact/descriptor.ts";
import { largestManifest, parseManifest } from "../artifact/manifest.ts";
import { parseManifestReference, parseRepository } from "../artifact/reference.ts";
import { asFilter, type ReferrerFilter } from "../artifact/referrer-filter.ts";
import type { ArtifactSource, ResolvedManifest } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import {
  algorithmOf,
  type ContentDigest,
  contentDigestOf,
  DigestStream,
  requireDigest,
} from "../storage/content-digest.ts";
import type { Contents } from "./contents.ts";
import { pageBytes } from "./list-referrers.ts";
import type { Place } from "./referrers.ts";

/** A repository of the registry in this process, read without HTTP and without asking for access. */
export class LocalRepository implements ArtifactSource {
  readonly repository: string;
  readonly #contents: Contents;
  readonly #blobs: BlobStore;
  readonly #ready: () => Promise<void>;

  constructor(repository: string, contents: Contents, blobs: BlobStore, ready: () => Promise<void>) {
    this.repository = parseRepository(repository);
    this.#contents = contents;
    this.#blobs = blobs;
    this.#ready = ready;
  }

  manifest(digest: ContentDigest): Promise<ResolvedManifest> {
    return this.resolve(digest);
  }

  async resolve(text: string): Promise<ResolvedManifest> {
    await this.#ready();
    const wanted = parseManifestReference(text);
    const named =
      wanted.kind === "digest" ? wanted.digest : await this.#contents.tagTarget(this.repository, wanted.tag);
    const stored = named === undefined ? undefined : await this.#contents.manifest(this.repository, named);
    if (stored === undefined) throw new OciError("not-found", `${this.repository} holds no manifest ${text}`);
    const bytes = await this.#blobs.bytes(stored.digest, largestManifest);
    const { mediaType, size } = stored;
    return Object.freeze({
      digest: contentDigestOf(bytes) as Digest,
      mediaType,
      bytes,
      manifest: parseManifest(bytes, mediaType),
      descriptor: Object.freeze({ mediaType, digest: stored.digest, size }),
    });
  }

  async *blob(content: ContentDigest | Descriptor): AsyncGenerator<Uint8Array> {
    await this.#ready();
    const { digest, size } = typeof content === "string" ? { digest: content, size: undefined } : content;
    const held = await this.#contents.blobSize(this.repository, digest);
    if (held === undefined) throw new OciError("not-found", `${this.repository} holds no blob ${digest}`);
    if (size !== undefined && size !== held) {
      throw new OciError("size-mismatch", `${digest} should have ${size} bytes, ${this.repository} holds ${held}`);
    }
    const hash = new DigestStream(algorithmOf(digest));
    for await (const chunk of (await this.#blobs.get(digest)).stream) {
      hash.update(chunk);
      yield chunk;
    }
    requireDigest("the stored blob", digest, hash.digest());
  }

  async *referrers(subject: ContentDigest, filter: string | ReferrerFilter = {}): AsyncGenerator<Descriptor> {
    await this.#ready();
    const wanted = asFilter(filter);
    let after: Place | undefined;
    do {
      const page = await this.#contents.referrers(this.repository, subject, wanted, {
        after,
        limit: 1_000,
        maxBytes: pageBytes,
      });
      for (const text of page.descriptors) yield JSON.parse(text) as Descriptor;
      after = page.next;
    } while (after !== undefined);
  }
}
