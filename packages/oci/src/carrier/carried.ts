import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@tally/evidence";
import type { Descriptor } from "../artifact/descriptor.ts";
import { largestManifest, parseManifest, partsOf, referrerDescriptor } from "../artifact/manifest.ts";
import { manifestKind } from "../artifact/media-types.ts";
import { asFilter, matchesFilter, type ReferrerFilter } from "../artifact/referrer-filter.ts";
import type { ArtifactSource, RepositoryName, ResolvedManifest } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import { ImageLayout } from "../layout/image-layout.ts";
import { algorithmOf, type ContentDigest, DigestStream, isContentDigest } from "../storage/content-digest.ts";
import { storing } from "../storage/durable-file.ts";
import { lentBlocks } from "../storage/lent-blocks.ts";
import { type CarriedName, nameIn } from "./carried-name.ts";

/** One thing that was looked at in a layout that somebody carried. */
export interface CarrierCheck {
  readonly name: "layout" | "index" | "blob" | "manifest" | "part" | "nothing added";
  /** A digest or a file's name. */
  readonly about: string;
  readonly result: "good" | "bad";
  readonly reason: string;
}

type Say = (check: CarrierCheck) => void;

export interface CarriedRoot extends Descriptor {
  readonly names: readonly CarriedName[];
}

/** A layout of which every file was looked at. Reading from it checks again: the carrier may still have hands on it. */
export interface Carried extends ArtifactSource {
  readonly dir: string;
  /** Manifests that nothing else in the layout names: what was sent. */
  readonly roots: readonly CarriedRoot[];
  /** All that was read as a manifest, by digest. */
  readonly manifests: ReadonlyMap<ContentDigest, Descriptor>;
  /** Where a blob's file is. */
  path(digest: ContentDigest): string;
}

/**
 * Looks at every file of an image layout and tells of each thing that is wrong: a blob that is not what its name says, one that
 * is missing or that nothing names, a manifest that does not parse or is not what names it. Memory grows with the manifests,
 * not with the blobs. Undefined where it is no layout at all.
 *
 * @throws what reading the disk throws
 */
export async function inspectCarrier(dir: string, say: Say): Promise<Carried | undefined> {
  const listed = await readIndex(dir, say);
  if (listed === undefined) return undefined;
  const held = await hashBlobs(dir, say);
  const manifests = new Map<ContentDigest, Descriptor>();
  const subjects = new Map<ContentDigest, Descriptor[]>();
  const needed = new Set<ContentDigest>();
  const named = new Set<ContentDigest>();
  const layout = await ImageLayout.open(dir);
  // Grows while it is gone through: an index may list manifests that list others.
  const queue = [...listed];
  for (const descriptor of queue) {
    const { digest } = descriptor;
    needed.add(digest);
    if (!isHeld(descriptor, held, "a manifest that the index names", say) || manifests.has(digest)) continue;
    const read = await readManifest(layout.dir, descriptor, say);
    if (read === undefined) continue;
    const { manifest } = read;
    const { artifactType } = referrerDescriptor(manifest, digest, read.size);
    if (descriptor.artifactType !== undefined && descriptor.artifactType !== artifactType) {
      const reason = `the index calls it ${descriptor.artifactType}, and it is ${artifactType ?? "of no type"}`;
      say({ name: "manifest", about: digest, result: "bad", reason });
    }
    manifests.set(digest, { ...descriptor, ...(artifactType !== undefined && { artifactType }) });
    for (const part of partsOf(manifest)) {
      needed.add(part.digest);
      if (manifest.kind === "index" && manifestKind(part.mediaType) !== undefined) {
        named.add(part.digest);
        queue.push(part);
      } else isHeld(part, held, `part of ${digest}`, say);
    }
    const { subject } = manifest;
    if (subject === undefined) continue;
    named.add(digest);
    const others = subjects.get(subject.digest) ?? [];
    others.push(referrerDescriptor(manifest, digest, read.size));
    subjects.set(subject.digest, others);
  }
  for (const [subject, referrers] of subjects) {
    if (manifests.has(subject)) continue;
    for (const { digest } of referrers) {
      say({ name: "manifest", about: digest, result: "bad", reason: `what it refers to, ${subject}, is not here` });
    }
  }
  for (const digest of held.keys()) {
    if (needed.has(digest)) continue;
    say({ name: "nothing added", about: digest, result: "bad", reason: "nothing in the layout names this blob" });
  }
  const roots = rootsOf(listed).flatMap((root) => {
    const own = named.has(root.digest) ? undefined : manifests.get(root.digest);
    return own === undefined ? [] : [{ ...root, ...own }];
  });
  return new CarriedLayout(layout, roots, manifests, subjects, listed);
}

/** A referrers list that was made once: a layout has no index of them. */
class CarriedLayout implements Carried {
  readonly dir: string;
  readonly roots: readonly CarriedRoot[];
  readonly manifests: ReadonlyMap<ContentDigest, Descriptor>;
  readonly #layout: ImageLayout;
  readonly #listed: readonly Descriptor[];
  readonly #subjects: ReadonlyMap<ContentDigest, readonly Descriptor[]>;

  constructor(
    layout: ImageLayout,
    roots: readonly CarriedRoot[],
    manifests: ReadonlyMap<ContentDigest, Descriptor>,
    subjects: ReadonlyMap<ContentDigest, readonly Descriptor[]>,
    listed: readonly Descriptor[],
  ) {
    this.dir = layout.dir;
    this.roots = roots;
    this.manifests = manifests;
    this.#listed = listed;
    this.#layout = layout;
    this.#subjects = subjects;
  }

  async resolve(reference: string): Promise<ResolvedManifest> {
    const known = this.manifests.get(reference as ContentDigest);
    if (known === undefined) throw new OciError("not-found", `${this.dir} has no manifest ${reference}`);
    const { mediaType, digest, size } = known;
    const bytes = await bytesOf(this.blob(known));
    const manifest = parseManifest(bytes, mediaType);
    const descriptor = Object.freeze({ mediaType, digest, size });
    return Object.freeze({ digest: digest as Digest, mediaType, bytes, manifest, descriptor });
  }

  manifest(digest: ContentDigest): Promise<ResolvedManifest> {
    return this.resolve(digest);
  }

  blob(content: ContentDigest | Descriptor): AsyncIterable<Uint8Array> {
    return this.#layout.blob(content);
  }

  lentBlob(blob: Descriptor): AsyncIterable<Uint8Array> {
    return this.#layout.lentBlob(blob);
  }

  blobPath(digest: ContentDigest): string {
    return this.path(digest);
  }

  async *referrers(subject: ContentDigest, filter: string | ReferrerFilter = {}): AsyncGenerator<Descriptor> {
    const wanted = asFilter(filter);
    for (const descriptor of this.#subjects.get(subject) ?? []) {
      if (matchesFilter(descriptor, wanted)) yield descriptor;
    }
  }

  /** A layout is one place for all repositories: a tag is looked for under the repository that the index names. */
  base({ repository }: RepositoryName): ArtifactSource {
    const place: ArtifactSource = {
      resolve: (reference) => {
        const tagged = this.#listed.find((entry) => {
          const name = nameIn(entry.annotations);
          return name?.repository === repository && name.tag === reference;
        });
        return this.resolve(tagged?.digest ?? reference);
      },
      manifest: (digest) => this.manifest(digest),
      blob: (content) => this.blob(content),
      lentBlob: (blob) => this.lentBlob(blob),
      blobPath: (digest) => this.blobPath(digest),
      referrers: (subject, filter) => this.referrers(subject, filter),
      base: (name) => this.base(name),
    };
    return place;
  }

  path(digest: ContentDigest): string {
    return join(this.dir, "blobs", ...digest.split(":"));
  }
}

async function readIndex(dir: string, say: Say): Promise<readonly Descriptor[] | undefined> {
  try {
    await onlyLayoutFiles(dir, say);
    const manifests = await (await ImageLayout.open(dir)).manifests();
    say({ name: "layout", about: "index.json", result: "good", reason: `${manifests.length} manifests` });
    return manifests;
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    say({ name: "layout", about: dir, result: "bad", reason: error.message });
    return undefined;
  }
}

/** As much as an index of a hundred thousand manifests takes. */
const largestIndex = 64 * 1024 * 1024;

/** Nothing is read before it is known to be a plain file of a size to read. */
async function onlyLayoutFiles(dir: string, say: Say): Promise<void> {
  for (const name of await storing("listing the layout", () => readdir(dir))) {
    const file = await lstat(join(dir, name));
    if (name === "index.json" || name === "oci-layout") {
      if (!file.isFile()) throw new OciError("layout-invalid", `${name} is no plain file`);
      if (file.size > largestIndex) throw new OciError("too-large", `${name} has ${file.size} bytes`);
    } else if (name === "blobs") {
      if (!file.isDirectory()) throw new OciError("layout-invalid", "blobs is no folder");
    } else if (name !== "ingest" || !file.isDirectory() || (await readdir(join(dir, name))).length > 0) {
      say({ name: "nothing added", about: name.slice(0, 200), result: "bad", reason: "no file of a layout" });
    }
  }
}

/** Every blob, hashed; its size where it is what its name says. */
async function hashBlobs(dir: string, say: Say): Promise<ReadonlyMap<ContentDigest, number>> {
  const held = new Map<ContentDigest, number>();
  let [good, bytes] = [0, 0];
  const root = join(dir, "blobs");
  for (const algorithm of await storing("listing blobs", () => readdir(root))) {
    const folder = join(root, algorithm);
    if (!(await lstat(folder)).isDirectory()) {
      say({ name: "nothing added", about: `blobs/${algorithm}`, result: "bad", reason: "no folder of blobs" });
      continue;
    }
    for (const name of (await readdir(folder)).sort()) {
      const digest = `${algorithm}:${name}`;
      const file = await lstat(join(folder, name));
      if (!isContentDigest(digest) || !file.isFile()) {
        const reason = file.isFile() ? "no digest" : "no plain file";
        say({ name: "nothing added", about: `blobs/${algorithm}/${name.slice(0, 200)}`, result: "bad", reason });
        continue;
      }
      const hash = new DigestStream(algorithmOf(digest));
      for await (const block of lentBlocks(join(folder, name), 0, file.size)) hash.update(block);
      const actual = hash.digest();
      // Its name counts as here all the same, so that what is wrong is said once.
      held.set(digest, file.size);
      if (actual === digest) [good, bytes] = [good + 1, bytes + file.size];
      else say({ name: "blob", about: digest, result: "bad", reason: `its bytes are ${actual}` });
    }
  }
  if (good > 0)
    say({ name: "blob", about: `${good} blobs`, result: "good", reason: `${bytes} bytes, each by its digest` });
  return held;
}

function isHeld(
  { digest, size }: Descriptor,
  held: ReadonlyMap<ContentDigest, number>,
  what: string,
  say: Say,
): boolean {
  const actual = held.get(digest);
  if (actual === size) return true;
  const reason = actual === undefined ? `${what}, and not here` : `${what}: it has ${actual} bytes and not ${size}`;
  say({ name: "part", about: digest, result: "bad", reason });
  return false;
}

async function readManifest(dir: string, { digest, mediaType, size }: Descriptor, say: Say) {
  try {
    if (size > largestManifest) throw new OciError("too-large", `a manifest has at most ${largestManifest} bytes`);
    const bytes = await storing("reading a manifest", () => readFile(join(dir, "blobs", ...digest.split(":"))));
    return { manifest: parseManifest(bytes, mediaType), size: bytes.length };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    say({ name: "manifest", about: digest, result: "bad", reason: error.message });
    return undefined;
  }
}

/** An artifact may stand in the index under several names. */
function rootsOf(listed: readonly Descriptor[]): readonly CarriedRoot[] {
  return [...Map.groupBy(listed, ({ digest }) => digest).values()].map((entries) => ({
    ...entries[0]!,
    names: entries.flatMap((entry) => nameIn(entry.annotations) ?? []),
  }));
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat(await Array.fromAsync(chunks)));
}
