import type { ContentDigest } from "../storage/content-digest.ts";
import { type Database, migrate } from "../storage/database.ts";
import { listingOf } from "./referrers.ts";

const tables = [
  // Which blobs a repository holds: the bytes are shared, the right to read them is not.
  `CREATE TABLE registry_blob (
    repository TEXT NOT NULL, digest TEXT NOT NULL, size BIGINT NOT NULL,
    PRIMARY KEY (repository, digest))`,
  `CREATE TABLE registry_manifest (
    repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, size BIGINT NOT NULL,
    subject TEXT, artifact_type TEXT, descriptor TEXT NOT NULL,
    PRIMARY KEY (repository, digest))`,
  "CREATE INDEX registry_referrer ON registry_manifest (repository, subject, digest)",
  "CREATE INDEX registry_referrer_type ON registry_manifest (repository, subject, artifact_type, digest)",
  // What a manifest needs in order to be whole.
  `CREATE TABLE registry_part (
    repository TEXT NOT NULL, part TEXT NOT NULL, manifest TEXT NOT NULL,
    PRIMARY KEY (repository, part, manifest))`,
  "CREATE INDEX registry_part_manifest ON registry_part (repository, manifest)",
  `CREATE TABLE registry_tag (
    repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (repository, tag))`,
  "CREATE INDEX registry_tag_digest ON registry_tag (repository, digest)",
  `CREATE TABLE registry_upload (
    id TEXT NOT NULL PRIMARY KEY, repository TEXT NOT NULL, touched BIGINT NOT NULL)`,
];

/** By name. Loading many manifests at once drops them and makes them again. */
export const listingIndexes: Readonly<Record<string, string>> = {
  registry_listing:
    "CREATE INDEX registry_listing ON registry_manifest (subject_id, to_ms, digest, from_ms, size, artifact_type)",
  registry_listing_type:
    "CREATE INDEX registry_listing_type ON registry_manifest (subject_id, artifact_type, to_ms, digest, from_ms, size)",
  registry_listing_device:
    "CREATE INDEX registry_listing_device ON registry_manifest (subject_id, device, to_ms, digest, from_ms, size, artifact_type)",
};

/** Lists referrers by device, time and type: each index holds what a page is chosen by, and no descriptors. */
const listings = [
  // A number stands for repository and subject, which would take 150 bytes in each index. `longest` is the longest time, in
  // milliseconds, that one of its referrers spans.
  `CREATE TABLE registry_subject (
    id BIGINT NOT NULL PRIMARY KEY, repository TEXT NOT NULL, subject TEXT NOT NULL, longest BIGINT NOT NULL,
    UNIQUE (repository, subject))`,
  // 0 where there is no subject, -1 where it has not been looked for: manifests stored before there was this column.
  "ALTER TABLE registry_manifest ADD COLUMN subject_id BIGINT NOT NULL DEFAULT -1",
  "ALTER TABLE registry_manifest ADD COLUMN device TEXT",
  "ALTER TABLE registry_manifest ADD COLUMN from_ms BIGINT",
  "ALTER TABLE registry_manifest ADD COLUMN to_ms BIGINT NOT NULL DEFAULT -1",
  "DROP INDEX registry_referrer",
  "DROP INDEX registry_referrer_type",
  ...Object.values(listingIndexes),
];

const hygiene = [
  // When a repository was last told that it holds a blob, and when a manifest was last pushed: 0 is before anybody noted it.
  "ALTER TABLE registry_blob ADD COLUMN touched BIGINT NOT NULL DEFAULT 0",
  "ALTER TABLE registry_manifest ADD COLUMN pushed BIGINT NOT NULL DEFAULT 0",
  // Whether any repository needs the bytes of a digest.
  "CREATE INDEX registry_blob_digest ON registry_blob (digest)",
  "CREATE INDEX registry_manifest_digest ON registry_manifest (digest)",
  // Write-once rules: milliseconds from the last push on, null for ever.
  "CREATE TABLE registry_retention (pattern TEXT NOT NULL PRIMARY KEY, ms BIGINT, since BIGINT NOT NULL)",
  `CREATE TABLE registry_quota (
    pattern TEXT NOT NULL PRIMARY KEY, bytes BIGINT, manifests BIGINT,
    used_bytes BIGINT NOT NULL, used_manifests BIGINT NOT NULL)`,
  // What one collection works with; emptied by the next one.
  "CREATE TABLE registry_named (digest TEXT NOT NULL PRIMARY KEY, because TEXT NOT NULL)",
  `CREATE TABLE registry_kept (
    repository TEXT NOT NULL, digest TEXT NOT NULL, because TEXT NOT NULL, seq BIGINT NOT NULL,
    PRIMARY KEY (repository, digest))`,
  "CREATE INDEX registry_kept_seq ON registry_kept (repository, seq)",
  `CREATE TABLE registry_going (
    repository TEXT NOT NULL, digest TEXT NOT NULL, what TEXT NOT NULL,
    PRIMARY KEY (repository, digest, what))`,
];

/** Whose an upload is. Those that were under way before belong to nobody, and are begun again. */
const owners = ["ALTER TABLE registry_upload ADD COLUMN owner TEXT NOT NULL DEFAULT ''"];

const collecting = [
  // What a collection notes down is in temporary tables.
  "DROP TABLE registry_named",
  "DROP TABLE registry_kept",
  "DROP TABLE registry_going",
  // What one manifest is made of, found without looking through the repository.
  "DROP INDEX registry_part_manifest",
  "CREATE INDEX registry_part_manifest ON registry_part (repository, manifest, part)",
];

export async function migrateRegistry(db: Database): Promise<void> {
  await migrate(db, "registry", [tables, listings, hygiene, owners, collecting]);
  while (await listOlder(db));
}

/** Gives some manifests of before their columns; whether there were any. */
async function listOlder(db: Database): Promise<boolean> {
  return db.transaction(async (tx) => {
    const rows = await tx.query<{
      repository: string;
      digest: string;
      subject: ContentDigest | null;
      descriptor: string;
    }>("SELECT repository, digest, subject, descriptor FROM registry_manifest WHERE subject_id = -1 LIMIT 200");
    for (const { repository, digest, subject, descriptor } of rows) {
      const listing = await listingOf(tx, repository, subject ?? undefined, JSON.parse(descriptor));
      await tx.run(
        "UPDATE registry_manifest SET subject_id = ?, device = ?, from_ms = ?, to_ms = ? WHERE repository = ? AND digest = ?",
        [...listing, repository, digest],
      );
    }
    return rows.length > 0;
  });
}
