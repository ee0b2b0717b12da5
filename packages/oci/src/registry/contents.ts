import type { Descriptor } from "../artifact/descriptor.ts";
import { type Manifest, partsOf, referrerDescriptor } from "../artifact/manifest.ts";
import type { ReferrerFilter } from "../artifact/referrer-filter.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import type { Database } from "../storage/database.ts";
import type { DigestTurns } from "./digest-turns.ts";
import { account } from "./quotas.ts";
import { listingOf, type PageWanted, type ReferrersPage, referrersPage } from "./referrers.ts";
import type { Protection, Retention } from "./retention.ts";

/** What a repository knows about one of its manifests; the bytes are a blob. */
export interface StoredManifest {
  readonly digest: ContentDigest;
  readonly mediaType: string;
  readonly size: number;
}

/** A blob that somebody asks for is noted as wanted no more often than this. */
const touchEveryMs = 600_000;

/** A tag that a push would have moved, and may not. */
export interface FixedTag {
  readonly tag: string;
  readonly target: ContentDigest;
  readonly protection: Protection;
}

/** The registry's tables as questions and answers about repositories. */
export class Contents {
  readonly #db: Database;
  readonly #retention: Retention;
  readonly #turns: DigestTurns;
  readonly #clock: { now(): number };

  constructor(db: Database, retention: Retention, turns: DigestTurns, clock: { now(): number }) {
    this.#db = db;
    this.#retention = retention;
    this.#turns = turns;
    this.#clock = clock;
  }

  async blobSize(repository: string, digest: ContentDigest): Promise<number | undefined> {
    const sql = "SELECT size FROM registry_blob WHERE repository = ? AND digest = ?";
    return (await this.#db.query<{ size: number }>(sql, [repository, digest]))[0]?.size;
  }

  /** Says that a repository holds a blob, from now on or still. Throws `Refusal` where that is beyond a quota. */
  async linkBlob(repository: string, digest: ContentDigest, size: number): Promise<void> {
    const now = this.#clock.now();
    await this.#db.transaction(async (tx) => {
      const touched = "UPDATE registry_blob SET touched = ? WHERE repository = ? AND digest = ?";
      if ((await tx.run(touched, [now, repository, digest])).changes > 0) return;
      await account(tx, repository, { bytes: size, manifests: 0 });
      const sql = "INSERT INTO registry_blob (repository, digest, size, touched) VALUES (?, ?, ?, ?)";
      await tx.run(sql, [repository, digest, size, now]);
    });
  }

  /** Whoever was told that a blob is here may name it soon: it counts as brought now, unless something names it already. */
  async touchUnnamed(repository: string, digest: ContentDigest): Promise<void> {
    const now = this.#clock.now();
    const sql = `UPDATE registry_blob SET touched = ? WHERE repository = ? AND digest = ? AND touched < ?
      AND NOT EXISTS (SELECT 1 FROM registry_part p WHERE p.repository = registry_blob.repository AND p.part = registry_blob.digest)`;
    await this.#db.transaction((tx) => tx.run(sql, [now, repository, digest, now - touchEveryMs]), { synced: false });
  }

  async unlinkBlob(repository: string, digest: ContentDigest): Promise<"gone" | "absent" | "needed"> {
    return this.#db.transaction(async (tx) => {
      if (await isPart(tx, repository, digest)) return "needed";
      return (await dropLink(tx, repository, digest)) ? "gone" : "absent";
    });
  }

  /** Removes a blob from a repository, needed or not; `last` when no other repository holds it. */
  async eraseBlob(repository: string, digest: ContentDigest): Promise<"last" | "shared" | "absent"> {
    return this.#db.transaction(async (tx) => {
      const dropped = await dropLink(tx, repository, digest);
      if (!(await isHeld(tx, digest))) return "last";
      return dropped ? "shared" : "absent";
    });
  }

  /** Whether any repository holds these bytes, as a blob or as a manifest. */
  holds(digest: ContentDigest): Promise<boolean> {
    return isHeld(this.#db, digest);
  }

  tagTarget(repository: string, tag: string): Promise<ContentDigest | undefined> {
    return tagTarget(this.#db, repository, tag);
  }

  /** The manifest that a tag names, in one question. */
  async taggedManifest(repository: string, tag: string): Promise<StoredManifest | undefined> {
    const sql = `SELECT m.digest AS digest, m.media_type AS "mediaType", m.size AS size FROM registry_tag t
      JOIN registry_manifest m ON m.repository = t.repository AND m.digest = t.digest WHERE t.repository = ? AND t.tag = ?`;
    return (await this.#db.query<StoredManifest>(sql, [repository, tag]))[0];
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

  /**
   * Adds a manifest with its tags in one step, provided that its parts are (still) there and that no tag is written once and
   * leads elsewhere. Throws `Refusal` where it is beyond a quota.
   */
  async addManifest(
    repository: string,
    manifest: Manifest,
    digest: ContentDigest,
    size: number,
    tags: readonly string[],
  ): Promise<WrongPart[] | FixedTag> {
    const descriptor = referrerDescriptor(manifest, digest, size);
    const now = this.#clock.now();
    return this.#db.transaction(async (tx) => {
      const wrong = await wrongParts(tx, repository, manifest);
      if (wrong.length > 0) return wrong;
      for (const tag of tags) {
        const target = await tagTarget(tx, repository, tag);
        if (target === undefined || target === digest) continue;
        const protection = await this.#protection(tx, repository, target);
        if (protection !== undefined) return { tag, target, protection };
      }
      this.#turns.noteAddition(repository);
      const sql = "SELECT 1 AS found FROM registry_manifest WHERE repository = ? AND digest = ?";
      const known = (await tx.query(sql, [repository, digest])).length > 0;
      if (!known) await account(tx, repository, { bytes: size, manifests: 1 });
      await tx.run(
        `INSERT INTO registry_manifest
         (repository, digest, media_type, size, subject, artifact_type, descriptor, pushed, subject_id, device, from_ms, to_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository, digest) DO UPDATE SET pushed = excluded.pushed`,
        [
          repository,
          digest,
          manifest.mediaType,
          size,
          manifest.subject?.digest ?? null,
          descriptor.artifactType ?? null,
          JSON.stringify(descriptor),
          now,
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

  /** Removes a manifest and the tags that point to it, unless an index in the repository lists it or it is written once. */
  async removeManifest(
    repository: string,
    digest: ContentDigest,
  ): Promise<"gone" | "absent" | "needed" | { readonly protection: Protection }> {
    return this.#db.transaction(async (tx) => {
      if (await isPart(tx, repository, digest)) return "needed";
      const protection = await this.#protection(tx, repository, digest);
      if (protection !== undefined) return { protection };
      return (await dropManifest(tx, repository, digest)) ? "gone" : "absent";
    });
  }

  async removeTag(
    repository: string,
    tag: string,
  ): Promise<"gone" | "absent" | { readonly target: ContentDigest; readonly protection: Protection }> {
    return this.#db.transaction(async (tx) => {
      const target = await tagTarget(tx, repository, tag);
      if (target === undefined) return "absent";
      const protection = await this.#protection(tx, repository, target);
      if (protection !== undefined) return { target, protection };
      await tx.run("DELETE FROM registry_tag WHERE repository = ? AND tag = ?", [repository, tag]);
      return "gone";
    });
  }

  async #protection(tx: Database, repository: string, digest: ContentDigest): Promise<Protection | undefined> {
    const sql = "SELECT pushed FROM registry_manifest WHERE repository = ? AND digest = ?";
    const [row] = await tx.query<{ pushed: number }>(sql, [repository, digest]);
    return row && this.#retention.protection(tx, repository, row.pushed);
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

/** The parts of a manifest that the repository lacks, or holds with another size. */
/** As many are named to the sender; looking for more takes time from others. */
const mostWrong = 100;

export async function wrongParts(db: Database, repository: string, manifest: Manifest): Promise<WrongPart[]> {
  // An image is made of blobs; an index lists manifests, and by its specification may list other content too.
  const blobs = "SELECT size FROM registry_blob WHERE repository = ? AND digest = ?";
  const manifests = "SELECT size FROM registry_manifest WHERE repository = ? AND digest = ?";
  const sql = manifest.kind === "image" ? blobs : `${manifests} UNION ALL ${blobs}`;
  const wrong: WrongPart[] = [];
  for (const part of partsOf(manifest)) {
    const key = [repository, part.digest];
    const [row] = await db.query<{ size: number }>(sql, manifest.kind === "image" ? key : [...key, ...key]);
    if (row?.size !== part.size) wrong.push({ part, size: row?.size });
    if (wrong.length === mostWrong) break;
  }
  return wrong;
}

export async function isPart(db: Database, repository: string, digest: ContentDigest): Promise<boolean> {
  const sql = "SELECT 1 AS found FROM registry_part WHERE repository = ? AND part = ? LIMIT 1";
  return (await db.query(sql, [repository, digest])).length > 0;
}

async function tagTarget(db: Database, repository: string, tag: string): Promise<ContentDigest | undefined> {
  const sql = "SELECT digest FROM registry_tag WHERE repository = ? AND tag = ?";
  return (await db.query<{ digest: ContentDigest }>(sql, [repository, tag]))[0]?.digest;
}

async function isHeld(db: Database, digest: ContentDigest): Promise<boolean> {
  const sql = `SELECT 1 AS found FROM registry_blob WHERE digest = ?
    UNION ALL SELECT 1 FROM registry_manifest WHERE digest = ? LIMIT 1`;
  return (await db.query(sql, [digest, digest])).length > 0;
}

/** A repository no longer holds a blob; whether it did. Within a step that has looked whether it may go. */
export async function dropLink(tx: Database, repository: string, digest: ContentDigest): Promise<boolean> {
  const where = "WHERE repository = ? AND digest = ?";
  const [row] = await tx.query<{ size: number }>(`SELECT size FROM registry_blob ${where}`, [repository, digest]);
  if (row === undefined) return false;
  await tx.run(`DELETE FROM registry_blob ${where}`, [repository, digest]);
  await account(tx, repository, { bytes: -row.size, manifests: 0 });
  return true;
}

/** A repository no longer holds a manifest, nor tags on it; whether it did. Within a step that has looked whether it may go. */
export async function dropManifest(tx: Database, repository: string, digest: ContentDigest): Promise<boolean> {
  const where = "WHERE repository = ? AND digest = ?";
  const [row] = await tx.query<{ size: number }>(`SELECT size FROM registry_manifest ${where}`, [repository, digest]);
  if (row === undefined) return false;
  await tx.run(`DELETE FROM registry_manifest ${where}`, [repository, digest]);
  await tx.run(`DELETE FROM registry_tag ${where}`, [repository, digest]);
  await tx.run("DELETE FROM registry_part WHERE repository = ? AND manifest = ?", [repository, digest]);
  await account(tx, repository, { bytes: -row.size, manifests: -1 });
  return true;
}
