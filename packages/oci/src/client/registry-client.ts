import type { Digest } from "@tally/evidence";
import type { Descriptor } from "../artifact/descriptor.ts";
import { largestManifest, parseManifest, referrerDescriptor } from "../artifact/manifest.ts";
import { manifestTypes, mediaTypeOfHeader } from "../artifact/media-types.ts";
import { parseManifestReference, parseRepository } from "../artifact/reference.ts";
import { asFilter, type ReferrerFilter } from "../artifact/referrer-filter.ts";
import type { ArtifactSource, ArtifactTarget, RepositoryName, ResolvedManifest } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import type { ByteSource } from "../storage/blob-store.ts";
import {
  algorithmOf,
  type ContentDigest,
  contentDigestOf,
  isContentDigest,
  requireDigest,
} from "../storage/content-digest.ts";
import { addFallbackReferrer, removeFallbackReferrer } from "./fallback-referrers.ts";
import { type ListOptions, listReferrers } from "./list-referrers.ts";
import { pages } from "./pages.ts";
import { requireEcho } from "./push-answers.ts";
import { discard, readBounded } from "./reply.ts";
import { Transport, type TransportOptions } from "./transport.ts";
import { inTurn } from "./turns.ts";
import { uploadBlob } from "./upload.ts";
import { type UploadNotes, UploadNotesFile } from "./upload-notes.ts";
import { verifiedBlob } from "./verified-blob.ts";

export interface RegistryClientOptions extends TransportOptions {
  readonly repository: string;
  /** A file in which uploads are noted that a later run can go on with; without it one run goes on by itself only. */
  readonly uploadNotes?: string;
}

/**
 * One repository of a registry, Tally's or anybody's (OCI distribution specification 1.1). Believes no registry: what it
 * hands out was checked against the digest that it was asked for by. Errors are `OciError`s: `unreachable`, `unauthorized`,
 * `not-found`, `digest-mismatch`, `size-mismatch`, `refused`, `protocol`, `aborted`.
 */
export class RegistryClient implements ArtifactSource, ArtifactTarget {
  readonly repository: string;
  readonly #transport: Transport;
  readonly #base: string;
  readonly #options: RegistryClientOptions;
  readonly #notes: UploadNotes | undefined;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.repository = parseRepository(options.repository);
    this.#transport = new Transport(options);
    this.#base = `/v2/${this.repository}`;
    const { origin } = this.#transport.origin;
    this.#notes =
      options.uploadNotes === undefined
        ? undefined
        : new UploadNotesFile(options.uploadNotes, `${origin}${this.#base}`);
  }

  /** The registry's origin. */
  get registry(): string {
    return this.#transport.origin.origin;
  }

  /** Another repository of this registry; what lies at other hosts is not asked for, whatever an artifact says. */
  base({ host, repository }: RepositoryName): RegistryClient | undefined {
    if (host !== undefined && host !== this.#transport.origin.host) return undefined;
    return new RegistryClient({ ...this.#options, repository });
  }

  /** Whether a registry answers at this address and takes these credentials; throws why not. */
  async ping(): Promise<void> {
    await discard(
      await this.#transport.call(
        { method: "GET", url: "/v2/", doing: `reaching ${this.#transport.origin.origin}` },
        200,
      ),
    );
  }

  manifest(digest: ContentDigest): Promise<ResolvedManifest> {
    return this.resolve(digest);
  }

  async resolve(reference: string): Promise<ResolvedManifest> {
    const wanted = parseManifestReference(reference);
    const doing = `fetching manifest ${reference} of ${this.repository}`;
    const headers = { Accept: manifestTypes.join(", ") };
    const reply = await this.#transport.call(
      { method: "GET", url: this.#manifestPath(reference), headers, doing },
      200,
    );
    const bytes = await readBounded(reply, largestManifest);
    const claimed = reply.response.headers.get("docker-content-digest");
    const named =
      wanted.kind === "digest" ? wanted.digest : claimed !== null && isContentDigest(claimed) ? claimed : undefined;
    if (named !== undefined)
      requireDigest(`manifest ${reference} of ${this.repository}`, named, contentDigestOf(bytes, algorithmOf(named)));
    const manifest = parseManifest(bytes, mediaTypeOfHeader(reply.response.headers.get("content-type")));
    const digest = contentDigestOf(bytes) as Digest;
    const { mediaType } = manifest;
    const descriptor = Object.freeze({ mediaType, digest: named ?? digest, size: bytes.length });
    return Object.freeze({ digest, mediaType, bytes, manifest, descriptor });
  }

  blob(content: ContentDigest | Descriptor, begun?: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const digest = typeof content === "string" ? content : content.digest;
    return verifiedBlob(this.#transport, `${this.#base}/blobs/${digest}`, content, begun);
  }

  async hasBlob(digest: ContentDigest): Promise<boolean> {
    const doing = `looking for blob ${digest} in ${this.repository}`;
    const reply = await this.#transport.call({ method: "HEAD", url: `${this.#base}/blobs/${digest}`, doing }, 200, 404);
    await discard(reply);
    return reply.response.status === 200;
  }

  async pushBlob(
    { digest, size }: { digest: ContentDigest; size: number },
    content: ByteSource | (() => ByteSource),
    mountFrom?: string,
  ): Promise<"sent" | "present"> {
    if (await this.hasBlob(digest)) return "present";
    const doing = `pushing blob ${digest} to ${this.repository}`;
    return uploadBlob({
      transport: this.#transport,
      base: this.#base,
      digest,
      size,
      content,
      doing,
      mountFrom: mountFrom === this.repository ? undefined : mountFrom,
      notes: this.#notes,
    });
  }

  async pushManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<{ digest: Digest }> {
    const manifest = parseManifest(bytes, mediaType);
    const digest = contentDigestOf(bytes) as Digest;
    const doing = `pushing manifest ${tag ?? digest} to ${this.repository}`;
    const headers = { "Content-Type": mediaType };
    const reply = await this.#transport.call(
      { method: "PUT", url: this.#manifestPath(tag ?? digest), headers, body: bytes, doing },
      201,
    );
    await discard(reply);
    requireEcho(reply.response, digest);
    const { subject } = manifest;
    if (subject !== undefined && reply.response.headers.get("oci-subject") === null) {
      const referrer = referrerDescriptor(manifest, digest, bytes.length);
      await this.#inTurn(subject.digest, () => addFallbackReferrer(this, subject.digest, referrer));
    }
    return { digest };
  }

  /**
   * Manifests whose subject this is, while they arrive, each once: from the referrers API page by page, or from the
   * referrers tag where the registry has none. The list is the registry's word, annotations included, until a manifest itself
   * is fetched. Throws `protocol` for a list that goes in circles, leads elsewhere or is none, `too-large` beyond the limits.
   */
  referrers(
    subject: ContentDigest,
    filter: string | ReferrerFilter = {},
    options: ListOptions = {},
  ): AsyncGenerator<Descriptor> {
    const { repository } = this;
    const registry = { transport: this.#transport, repository, resolve: (tag: string) => this.resolve(tag) };
    return listReferrers(registry, subject, asFilter(filter), options);
  }

  /** The tags of the repository, in the registry's order. */
  async *tags(): AsyncGenerator<string> {
    const doing = `listing tags of ${this.repository}`;
    const first = await this.#transport.call({ method: "GET", url: `${this.#base}/tags/list`, doing }, 200);
    for await (const { json } of pages(this.#transport, first, doing)) {
      const { tags } = json;
      // Some registries write null for none.
      if (tags !== null && !(Array.isArray(tags) && tags.every((tag) => typeof tag === "string"))) {
        throw new OciError("protocol", `${doing}: the registry's answer is not a list of tags`);
      }
      yield* (tags as string[] | null) ?? [];
    }
  }

  /** Deletes a tag, or a manifest with all of its tags. Throws `not-found`. */
  async delete(reference: string): Promise<void> {
    parseManifestReference(reference);
    const doing = `deleting ${reference} from ${this.repository}`;
    await discard(
      await this.#transport.call({ method: "DELETE", url: this.#manifestPath(reference), doing }, 202, 200, 204),
    );
  }

  /** Takes a deleted manifest off its subject's list, where that list is a fallback tag; a registry with referrers API does. */
  async forgetReferrer(subject: ContentDigest, referrer: ContentDigest): Promise<void> {
    await this.#inTurn(subject, () => removeFallbackReferrer(this, subject, referrer));
  }

  /** Changes to the list under one fallback tag, by whichever client of this process, one after another. */
  #inTurn(subject: ContentDigest, change: () => Promise<void>): Promise<void> {
    return inTurn(`${this.#transport.origin.origin} ${this.repository} ${subject}`, change);
  }

  #manifestPath(reference: string): string {
    parseManifestReference(reference);
    return `${this.#base}/manifests/${reference}`;
  }
}
