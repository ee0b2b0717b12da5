import type { Descriptor } from "../artifact/descriptor.ts";
import { type Manifest, partsOf, referrerDescriptor } from "../artifact/manifest.ts";
import type { ReferrerFilter } from "../artifact/referrer-filter.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import type { Database } from "../storage/database.ts";
import { listingOf, type PageWanted, type ReferrersPage, referrersPage } from "./referrers.ts";

/** What a repository knows about one of its manifests; the bytes are a blob. */
export interface StoredManifest {
  readonly digest: ContentDigest;
  readonly mediaType: string;
  readonly size: number;
}

/** The registry's tables as questions and answers about repositories. */
export class Contents {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async blobSize(repository: string, digest: ContentDigest): Promise<number | undefined> {
    const sql = "SELECT size FROM registry_blob WHERE repository = ? AND digest = ?";
    return (await this.#db.query<{ size: number }>(sql, [repository, digest]))[0]?.size;
  }

  async linkBlob(repository: string, digest: ContentDigest, size: number): Promise<void> {
    const sql = "INSERT INTO registry_blob (repository, digest, size) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    await this.#db.run(sql, [repository, digest, size]);
  }

  async unlinkBlob(repository: string, digest: ContentDigest): Promise<"gone" | "absent" | "needed"> {
    return this.#db.transaction(async (tx) => {
      if (await isPart(tx, repository, digest)) return "needed";
      const { changes } = await tx.run("DELETE FROM registry_blob WHERE repository = ? AND digest = ?", [
        repository,
        digest,
      ]);
      return changes > 0 ? "gone" : "absent";
    });
  }

  /** Removes a blob from a repository, needed or not; `last` when no other repository holds it. */
  async eraseBlob(repository: string, digest: ContentDigest): Promise<"last" | "shared" | "absent"> {
    return this.#db.transaction(async (tx) => {
      const sql = "DELETE FROM registry_blob WHERE repository = ? AND digest = ?";
      const { changes } = await tx.run(sql, [repository, digest]);
      const others = await tx.query("SELECT 1 AS found FROM registry_blob WHERE digest = ? LIMIT 1", [digest]);
      if (others.length === 0) return "last";
      return changes > 0 ? "shared" : "absent";
    });
  }

  async tagTarget(repository: string, tag: string): Promise<ContentDigest | undefined> {
    const sql = "SELECT digest FROM registry_tag WHERE repository = ? AND tag = ?";
    return (await this.#db.query<{ digest: ContentDigest }>(sql, [repository, tag]))[0]?.digest;
  }

  async manifest(repository: string, digest: ContentDigest): Promise<StoredManifest | undefined> {
    const sql =
      'SELECT digest, media_type AS "mediaType", size FROM registry_manifest WHERE repository = ? AND digest = ?';
    return (await this.#db.query<StoredManifest>(sql, [repository, digest]))[0];
  }

  /** The parts of a manifest that the repository lacks, or holds with another size. */
  async wrongParts(repository: string, manifest: Manifest): Promise<WrongPart[]> {
    return wrongParts(this.#db, repository, manifest);
  }

  /** Adds a manifest with its tags in one step, provided that its parts are (still) there. */
  async addManifest(
    repository: string,
    manifest: Manifest,
    digest: ContentDigest,
    size: number,
    tags: readonly string[],
  ): Promise<WrongPart[]> {
    const descriptor = referrerDescriptor(manifest, digest, size);
    return this.#db.transaction(async (tx) => {
      const wrong = await wrongParts(tx, repository, manifest);
      if (wrong.length > 0) return wrong;
      await tx.run(
        `INSERT INTO registry_manifest
         (repository, digest, media_type, size, subject, artifact_type, descriptor, subject_id, device, from_ms, to_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        [
          repository,
          digest,
          manifest.mediaType,
          size,
          manifest.subject?.digest ?? null,
          descriptor.artifactType ?? null,
          JSON.stringify(descriptor),
          ...(await listingOf(tx, repository, manifest.subject?.digest, descriptor)),
        ],
      );
      for (const part of new Set(partsOf(manifest).map(({ digest }) => digest))) {
        const sql = "INSERT INTO registry_part (repository, part, manifest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        await tx.run(sql, [repository, part, digest]);
      }
      for (const tag of tags) {
        const sql =
          "INSERT INTO registry_tag (repository, tag, digest) VALUES (?, ?, ?) ON CONFLICT (repository, tag) DO UPDATE SET digest = excluded.digest";
        await tx.run(sql, [repository, tag, digest]);
      }
      return [];
    });
  }

  /** Removes a manifest and the tags that point to it, unless an index in the repository lists it. */
  async removeManifest(repository: string, digest: ContentDigest): Promise<"gone" | "absent" | "needed"> {
    return this.#db.transaction(async (tx) => {
      if (await isPart(tx, repository, digest)) return "needed";
      const where = "WHERE repository = ? AND digest = ?";
      const { changes } = await tx.run(`DELETE FROM registry_manifest ${where}`, [repository, digest]);
      if (changes === 0) return "absent";
      await tx.run(`DELETE FROM registry_tag ${where}`, [repository, digest]);
      await tx.run("DELETE FROM registry_part WHERE repository = ? AND manifest = ?", [repository, digest]);
      return "gone";
    });
  }

  async removeTag(repository: string, tag: string): Promise<boolean> {
    return (
      (await this.#db.run("DELETE FROM registry_tag WHERE repository = ? AND tag = ?", [repository, tag])).changes > 0
    );
  }

  async repositoryExists(repository: string): Promise<boolean> {
    const sql = `SELECT 1 AS found FROM registry_manifest WHERE repository = ?
      UNION ALL SELECT 1 FROM registry_blob WHERE repository = ? LIMIT 1`;
    return (await this.#db.query(sql, [repository, repository])).length > 0;
  }

  /** Up to `limit` tags in ASCII order, after `last`. */
  async tags(repository: string, last: string, limit: number): Promise<string[]> {
    const sql = "SELECT tag FROM registry_tag WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?";
    return (await this.#db.query<{ tag: string }>(sql, [repository, last, limit])).map(({ tag }) => tag);
  }

  /** A page of the manifests whose subject this is. */
  referrers(
    repository: string,
    subject: ContentDigest,
    filter: ReferrerFilter,
    wanted: PageWanted,
  ): Promise<ReferrersPage> {
    return referrersPage(this.#db, repository, subject, filter, wanted);
  }
}

export interface WrongPart {
  readonly part: Descriptor;
  /** The size it has here; undefined when it is not here. */
  readonly size: number | undefined;
}

async function wrongParts(db: Database, repository: string, manifest: Manifest): Promise<WrongPart[]> {
  // An image is made of blobs; an index lists manifests, and by its specification may list other content too.
  const blobs = "SELECT size FROM registry_blob WHERE repository = ? AND digest = ?";
  const manifests = "SELECT size FROM registry_manifest WHERE repository = ? AND digest = ?";
  const sql = manifest.kind === "image" ? blobs : `${manifests} UNION ALL ${blobs}`;
  const wrong: WrongPart[] = [];
  for (const part of partsOf(manifest)) {
    const key = [repository, part.digest];
    const [row] = await db.query<{ size: number }>(sql, manifest.kind === "image" ? key : [...key, ...key]);
    if (row?.size !== part.size) wrong.push({ part, size: row?.size });
  }
  return wrong;
}

async function isPart(db: Database, repository: string, digest: ContentDigest): Promise<boolean> {
  const sql = "SELECT 1 AS found FROM registry_part WHERE repository = ? AND part = ? LIMIT 1";
  return (await db.query(sql, [repository, digest])).length > 0;
}
