import { readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@tally/evidence";
import type { Descriptor } from "../artifact/descriptor.ts";
import { largestManifest, parseManifest, referrerDescriptor } from "../artifact/manifest.ts";
import { manifestKind } from "../artifact/media-types.ts";
import { parseManifestReference } from "../artifact/reference.ts";
import { asFilter, matchesFilter, type ReferrerFilter } from "../artifact/referrer-filter.ts";
import type { ArtifactSource, ArtifactTarget, ResolvedManifest } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import type { ByteSource } from "../storage/blob-store.ts";
import { exactly } from "../storage/byte-count.ts";
import {
  algorithmOf,
  type ContentDigest,
  contentDigestOf,
  DigestStream,
  requireDigest,
} from "../storage/content-digest.ts";
import { makeDirectoryDurably, storing } from "../storage/durable-file.ts";
import { lentBlocks } from "../storage/lent-blocks.ts";
import { readFileStream } from "../storage/read-stream.ts";
import { LayoutFolder } from "./layout-folder.ts";
import { formatLayoutIndex, parseLayoutIndex, tagOf, withManifest } from "./layout-index.ts";

const layoutFile = "oci-layout";
const layoutVersion = "1.0.0";
/** Three blobs are under way at a time, and what a socket takes at once is less. */
const lentSize = 512 * 1024;

/**
 * Artifacts in a folder, in the form that other tools read and write too (image-spec, image-layout.md):
 *
 *     oci-layout              {"imageLayoutVersion":"1.0.0"}
 *     index.json              the manifests, with their tags as annotations
 *     blobs/sha256/<hex>      everything by digest
 *     ingest/<uuid>           being written
 *
 * Reading believes nothing in it: bytes are checked against the digest they are asked for by. One process writes at a time.
 */
export class ImageLayout implements ArtifactSource, ArtifactTarget {
  readonly dir: string;
  readonly #folder: LayoutFolder;
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(dir: string) {
    this.dir = dir;
    this.#folder = new LayoutFolder(dir);
  }

  /** Opens an existing layout. Throws `layout-invalid` for a folder that is none. */
  static async open(dir: string): Promise<ImageLayout> {
    const marker = await readFile(join(dir, layoutFile), "utf8").catch((cause) => {
      throw new OciError("layout-invalid", `${dir} is not an image layout: it has no readable ${layoutFile} file`, {
        cause,
        hint: "a model's folder becomes one by `tally model pack DIR -o LAYOUT`",
      });
    });
    let version: unknown;
    try {
      version = JSON.parse(marker).imageLayoutVersion;
    } catch {}
    if (version !== layoutVersion) {
      throw new OciError(
        "layout-invalid",
        `${dir} is an image layout of version ${JSON.stringify(version)}, not ${layoutVersion}`,
      );
    }
    return new ImageLayout(dir);
  }

  /** Opens a layout, or makes an empty one of a folder that is missing or none yet. */
  static async create(dir: string): Promise<ImageLayout> {
    if (await exists(join(dir, layoutFile))) return ImageLayout.open(dir);
    const layout = new ImageLayout(dir);
    await storing("making an image layout", () => makeDirectoryDurably(join(dir, "blobs", "sha256")));
    if (!(await exists(join(dir, "index.json")))) await layout.#folder.writeFile("index.json", formatLayoutIndex([]));
    await layout.#folder.writeFile(layoutFile, JSON.stringify({ imageLayoutVersion: layoutVersion }));
    return layout;
  }

  /** The listed manifests; `org.opencontainers.image.ref.name` among their annotations is the tag. */
  async manifests(): Promise<readonly Descriptor[]> {
    const bytes = await storing("reading index.json", () => readFile(join(this.dir, "index.json")));
    return parseLayoutIndex(bytes);
  }

  manifest(digest: ContentDigest): Promise<ResolvedManifest> {
    return this.resolve(digest);
  }

  async resolve(reference: string): Promise<ResolvedManifest> {
    const wanted = parseManifestReference(reference);
    const listed = (await this.manifests()).find((item) =>
      wanted.kind === "tag" ? tagOf(item) === wanted.tag : item.digest === wanted.digest,
    );
    const asked = wanted.kind === "digest" ? wanted.digest : listed?.digest;
    if (asked === undefined) throw new OciError("not-found", `${this.dir} lists no manifest with the tag ${reference}`);
    const bytes = await this.#smallBlob(asked);
    const manifest = parseManifest(bytes, listed?.mediaType);
    const { mediaType } = manifest;
    const digest = contentDigestOf(bytes) as Digest;
    return Object.freeze({
      digest,
      mediaType,
      bytes,
      manifest,
      descriptor: Object.freeze({ mediaType, digest: asked, size: bytes.length }),
    });
  }

  async *blob(content: ContentDigest | Descriptor): AsyncGenerator<Uint8Array> {
    const { digest, size } = typeof content === "string" ? { digest: content, size: undefined } : content;
    await this.#sizeOf(digest, size);
    yield* this.#checked(digest, readFileStream(this.#folder.path(digest)));
  }

  async *lentBlob({ digest, size }: Descriptor): AsyncGenerator<Uint8Array> {
    const there = await this.#sizeOf(digest, size);
    yield* this.#checked(digest, lentBlocks(await realpath(this.#folder.path(digest)), 0, there, lentSize));
  }

  async #sizeOf(digest: ContentDigest, expected: number | undefined): Promise<number> {
    const there = await this.#folder.size(digest);
    if (there === undefined) throw new OciError("not-found", `${this.dir} holds no blob ${digest}`);
    if (expected === undefined || there === expected) return there;
    throw new OciError(
      "size-mismatch",
      `${digest} should have ${expected} bytes, the file in ${this.dir} has ${there}`,
    );
  }

  async *#checked(digest: ContentDigest, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const hash = new DigestStream(algorithmOf(digest));
    for await (const chunk of bytes) {
      hash.update(chunk);
      yield chunk;
    }
    requireDigest(`the blob in ${this.dir}`, digest, hash.digest());
  }

  blobPath(digest: ContentDigest): string {
    return this.#folder.path(digest);
  }

  async *referrers(subject: ContentDigest, filter: string | ReferrerFilter = {}): AsyncGenerator<Descriptor> {
    const wanted = asFilter(filter);
    const seen = new Set<ContentDigest>();
    for (const { digest, mediaType } of await this.manifests()) {
      if (seen.has(digest) || manifestKind(mediaType) === undefined) continue;
      seen.add(digest);
      const { manifest, bytes } = await this.resolve(digest);
      if (manifest.subject?.digest !== subject) continue;
      const descriptor = referrerDescriptor(manifest, digest, bytes.length);
      if (matchesFilter(descriptor, wanted)) yield descriptor;
    }
  }

  async hasBlob(digest: ContentDigest): Promise<boolean> {
    return (await this.#folder.size(digest)) !== undefined;
  }

  async pushBlob(
    { digest, size }: { digest: ContentDigest; size: number },
    content: ByteSource | (() => ByteSource),
  ): Promise<"sent" | "present"> {
    if ((await this.#folder.size(digest)) === size) return "present";
    const source = typeof content === "function" ? content() : content;
    await this.#folder.ingest(digest, source instanceof Uint8Array ? source : exactly(size, source));
    return "sent";
  }

  addBlob(content: AsyncIterable<Uint8Array>): Promise<{ digest: Digest; size: number }> {
    return this.#folder.ingestNew(content);
  }

  async pushManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<{ digest: Digest }> {
    const manifest = parseManifest(bytes, mediaType);
    const digest = contentDigestOf(bytes) as Digest;
    await this.#folder.ingest(digest, bytes);
    const { artifactType } = manifest;
    const descriptor = {
      mediaType,
      digest,
      size: bytes.length,
      ...(artifactType === undefined ? {} : { artifactType }),
    };
    await this.#change((manifests) => withManifest(manifests, descriptor, tag));
    return { digest };
  }

  /** Gives a listed or stored manifest a tag, taking it from whichever had it. */
  async tag(digest: ContentDigest, tag: string): Promise<void> {
    const { mediaType, bytes } = await this.resolve(digest);
    await this.#change((manifests) => withManifest(manifests, { mediaType, digest, size: bytes.length }, tag));
  }

  /** One change of index.json after the other, each on what the one before left. */
  #change(step: (manifests: readonly Descriptor[]) => Descriptor[]): Promise<void> {
    const done = this.#lastChange.then(async () => {
      await this.#folder.writeFile("index.json", formatLayoutIndex(step(await this.manifests())));
    });
    this.#lastChange = done.catch(() => undefined);
    return done;
  }

  async #smallBlob(digest: ContentDigest): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    const size = await this.#folder.size(digest);
    if (size !== undefined && size > largestManifest) {
      throw new OciError("too-large", `${digest} has ${size} bytes, too many for a manifest`);
    }
    for await (const chunk of this.blob(digest)) chunks.push(chunk);
    return new Uint8Array(Buffer.concat(chunks));
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
