import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@tally/evidence";
import type { Descriptor } from "../artifact/descriptor.ts";
import { parseManifest, partsOf, referrerDescriptor } from "../artifact/manifest.ts";
import type { ArtifactTarget } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import { LayoutFolder } from "../layout/layout-folder.ts";
import { formatLayoutIndex } from "../layout/layout-index.ts";
import type { ByteSource } from "../storage/blob-store.ts";
import { exactly } from "../storage/byte-count.ts";
import { type ContentDigest, contentDigestOf } from "../storage/content-digest.ts";
import { storing } from "../storage/durable-file.ts";
import { readFileStream } from "../storage/read-stream.ts";
import { annotationsOf, type CarriedName } from "./carried-name.ts";

/**
 * Writes an image layout that is to be carried somewhere: everything by digest as it arrives, and the index once, at the end.
 * Every manifest stands in the index, referrers too, since that is where other tools look for them. The same manifests in the
 * same order give the same files.
 */
export class CarrierWriter implements ArtifactTarget {
  readonly dir: string;
  readonly #folder: LayoutFolder;
  readonly #listed = new Map<ContentDigest, Descriptor>();
  readonly #names = new Map<ContentDigest, readonly CarriedName[]>();
  readonly #needed = new Set<ContentDigest>();

  private constructor(dir: string) {
    this.dir = dir;
    this.#folder = new LayoutFolder(dir);
  }

  /** Begins in a folder that is not there yet, or is empty. Throws `refused`. */
  static async create(dir: string): Promise<CarrierWriter> {
    await storing("making the layout's folder", () => mkdir(dir, { recursive: true }));
    if ((await readdir(dir)).length === 0) return new CarrierWriter(dir);
    throw new OciError("refused", `${dir} is not empty`, { hint: "name a folder that is not there yet" });
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

  /** A file that is on disk already. Throws `not-found`, and `digest-mismatch` where it changed. */
  pushFile(path: string, described: { digest: ContentDigest; size: number }): Promise<"sent" | "present"> {
    return this.pushBlob(described, () => readFileStream(path));
  }

  async pushManifest(bytes: Uint8Array, mediaType: string): Promise<{ digest: Digest }> {
    const manifest = parseManifest(bytes, mediaType);
    const digest = contentDigestOf(bytes) as Digest;
    await this.#folder.ingest(digest, bytes);
    const { annotations: _, ...descriptor } = referrerDescriptor(manifest, digest, bytes.length);
    if (!this.#listed.has(digest)) this.#listed.set(digest, descriptor);
    for (const part of [digest, ...partsOf(manifest).map((each) => each.digest)]) this.#needed.add(part);
    return { digest };
  }

  /** Says in the index from where a manifest is. One that has several names stands in it once under each. */
  name(digest: ContentDigest, name: CarriedName): void {
    if (!this.#listed.has(digest)) throw new OciError("not-found", `${digest} is not in the layout`);
    const before = this.#names.get(digest) ?? [];
    const isSaid = before.some(({ repository, tag }) => repository === name.repository && tag === name.tag);
    if (!isSaid) this.#names.set(digest, [...before, name]);
  }

  /** What `name` was given. */
  names(): ReadonlyMap<ContentDigest, readonly CarriedName[]> {
    return this.#names;
  }

  /** Writes the index and removes what nothing in it needs, such as the layers of an artifact that could not be had whole. */
  async finish(): Promise<{ manifests: number; blobs: number; bytes: number }> {
    let [blobs, bytes] = [0, 0];
    for (const algorithm of ["sha256", "sha512"]) {
      const names = await readdir(join(this.dir, "blobs", algorithm)).catch(() => []);
      for (const name of names) {
        const digest = `${algorithm}:${name}` as ContentDigest;
        if (this.#needed.has(digest)) {
          blobs += 1;
          bytes += (await this.#folder.size(digest)) ?? 0;
        } else {
          await storing("removing what nothing needs", () => rm(join(this.dir, "blobs", algorithm, name)));
        }
      }
    }
    const listed = [...this.#listed.values()].flatMap((descriptor) =>
      (this.#names.get(descriptor.digest) ?? [undefined]).map((name) =>
        name === undefined ? descriptor : { ...descriptor, annotations: annotationsOf(name) },
      ),
    );
    await this.#folder.writeFile("index.json", formatLayoutIndex(listed));
    await this.#folder.writeFile("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    await storing("tidying up", () => rm(join(this.dir, "ingest"), { recursive: true, force: true }));
    return { manifests: this.#listed.size, blobs, bytes };
  }
}
