import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Descriptor } from "../artifact/descriptor.ts";
import { parseDescriptor } from "../artifact/descriptor.ts";
import { largestManifest, parseManifest, partsOf } from "../artifact/manifest.ts";
import { parseRepository, parseTag } from "../artifact/reference.ts";
import { indexItems } from "../client/index-items.ts";
import { OciError } from "../error.ts";
import { ImageLayout } from "../layout/image-layout.ts";
import { LayoutFolder } from "../layout/layout-folder.ts";
import { tagOf } from "../layout/layout-index.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { algorithmOf, contentDigestOf } from "../storage/content-digest.ts";
import type { Database } from "../storage/database.ts";
import { storing } from "../storage/storing.ts";
import { bulkLoad } from "./bulk-load.ts";
import { account } from "./quotas.ts";
import { Refusal } from "./refusal.ts";
import { migrateRegistry } from "./tables.ts";

export interface LayoutLoad {
  /** Of a registry that nobody else uses meanwhile. */
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly repository: string;
  /** A folder with an image layout. */
  readonly layout: string;
  /** Told now and then how many manifests were read. */
  readonly onRead?: (manifests: number) => void;
}

export interface LayoutLoaded {
  readonly manifests: number;
  /** Configs and layers that the repository did not hold. */
  readonly blobs: number;
  readonly tags: number;
  /** Tags that the repository has for something else, and keeps. */
  readonly keptTags: readonly string[];
}

/** Blobs that were found in the repository are not asked for again. */
const remembered = 10_000;

/**
 * Stores the images of a layout in a repository, however many there are: configs and layers as they are met, then all manifests or
 * none, then tags. What is there already stays as it is, so that a load that broke off is simply run again. Bytes are checked against
 * their digests, manifests as a push would check them; no hook hears of them.
 *
 * @throws OciError `layout-invalid`, `manifest-invalid`, `digest-mismatch`, `not-found` and the like for what cannot be stored; `refused`
 * for an index of manifests, and beyond a quota
 */
export async function loadLayout({ db, blobs, layout, onRead, ...load }: LayoutLoad): Promise<LayoutLoaded> {
  const repository = parseRepository(load.repository);
  // Says what is wrong with a folder that is none.
  await ImageLayout.open(layout);
  await migrateRegistry(db);
  const folder = new LayoutFolder(layout);
  const parts = new Parts(db, blobs, repository, folder);
  const tags: [tag: string, digest: string][] = [];
  const manifests = async function* () {
    for await (const listed of listedIn(layout)) {
      const { mediaType } = listed;
      const bytes = await manifestBytes(folder, listed);
      const manifest = parseManifest(bytes, mediaType);
      if (manifest.kind === "index") {
        throw new OciError("refused", `${listed.digest} is an index of manifests, and images are loaded here`, {
          hint: "copy it with `oras cp -r` or `skopeo copy --all`, then load the rest",
        });
      }
      for (const part of partsOf(manifest)) await parts.store(part);
      const tag = tagOf(listed);
      // Others than ours write whole references, or words of their own.
      if (tag !== undefined && isTag(tag)) tags.push([tag, listed.digest]);
      yield { bytes, mediaType };
    }
  };
  try {
    const read = await bulkLoad({ db, repository, blobs, manifests: manifests(), ...(onRead && { onRead }) });
    const keptTags = await setTags(db, repository, tags);
    return { manifests: read, blobs: parts.stored, tags: tags.length - keptTags.length, keptTags };
  } catch (error) {
    if (error instanceof Refusal) throw new OciError("refused", error.message, { cause: error });
    throw error;
  }
}

async function* listedIn(layout: string): AsyncGenerator<Descriptor> {
  const doing = `reading ${join(layout, "index.json")}`;
  let n = 0;
  try {
    for await (const items of indexItems(createReadStream(join(layout, "index.json")), doing))
      for (const item of items) yield parseDescriptor(item, `manifests[${n++}]`);
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    if (code !== "ENOENT" && code !== "protocol") throw cause;
    throw new OciError("layout-invalid", `index.json cannot be used: ${message}`, { cause });
  }
}

async function manifestBytes(folder: LayoutFolder, { digest, size }: Descriptor): Promise<Uint8Array> {
  const found = await folder.size(digest);
  if (found === undefined) throw absent(digest, folder.dir);
  if (size > largestManifest)
    throw new OciError("too-large", `manifest ${digest} has ${size} bytes; at most ${largestManifest} are read`);
  if (found !== size)
    throw new OciError("size-mismatch", `index.json says ${size} bytes of ${digest}, and the file has ${found}`);
  const bytes = new Uint8Array(await readFile(folder.path(digest)));
  if (contentDigestOf(bytes, algorithmOf(digest)) !== digest)
    throw new OciError("digest-mismatch", `the file of ${digest} has other bytes`);
  return bytes;
}

/** Configs and layers on their way into a repository. */
class Parts {
  readonly #db: Database;
  readonly #blobs: BlobStore;
  readonly #repository: string;
  readonly #folder: LayoutFolder;
  readonly #found = new Set<string>();
  stored = 0;

  constructor(db: Database, blobs: BlobStore, repository: string, folder: LayoutFolder) {
    this.#db = db;
    this.#blobs = blobs;
    this.#repository = repository;
    this.#folder = folder;
  }

  async store({ digest }: Descriptor): Promise<void> {
    if (this.#found.has(digest)) return;
    if (this.#found.size >= remembered) this.#found.clear();
    const held = "SELECT 1 AS found FROM registry_blob WHERE repository = ? AND digest = ?";
    if ((await this.#db.query(held, [this.#repository, digest])).length === 0) await this.#take(digest);
    this.#found.add(digest);
  }

  async #take(digest: Descriptor["digest"]): Promise<void> {
    const path = this.#folder.path(digest);
    if ((await this.#blobs.has(digest)) === undefined) {
      if (!(await stat(path).catch(() => undefined))?.isFile()) throw absent(digest, this.#folder.dir);
      await this.#blobs.put(digest, createReadStream(path, { highWaterMark: 256 * 1024 }));
    }
    const size = (await this.#blobs.has(digest))!.size;
    // Durable with the manifests that name it, which come after it.
    await this.#db.transaction(
      async (tx) => {
        await account(tx, this.#repository, { bytes: size, manifests: 0 });
        const sql = "INSERT INTO registry_blob (repository, digest, size, touched) VALUES (?, ?, ?, ?)";
        await tx.run(sql, [this.#repository, digest, size, Date.now()]);
      },
      { synced: false },
    );
    this.stored += 1;
  }
}

function absent(digest: string, dir: string): OciError {
  return new OciError("not-found", `${dir} has no file of ${digest}`, {
    hint: "the layout is not whole; copy it again",
  });
}

function isTag(text: string): boolean {
  try {
    parseTag(text);
    return true;
  } catch {
    return false;
  }
}

/** Gives tags that the repository does not have; those that it has for something else stay, and are returned. */
async function setTags(
  db: Database,
  repository: string,
  tags: readonly (readonly [tag: string, digest: string])[],
): Promise<readonly string[]> {
  return storing("setting tags", () =>
    db.transaction(async (tx) => {
      const kept: string[] = [];
      for (const [tag, digest] of tags) {
        const insert = "INSERT INTO registry_tag (repository, tag, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        if ((await tx.run(insert, [repository, tag, digest])).changes > 0) continue;
        const sql = "SELECT digest FROM registry_tag WHERE repository = ? AND tag = ?";
        const [held] = await tx.query<{ digest: string }>(sql, [repository, tag]);
        if (held?.digest !== digest) kept.push(tag);
      }
      return kept;
    }),
  );
}
