import { type Database, migrate } from "../storage/database.ts";

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

export function migrateRegistry(db: Database): Promise<void> {
  return migrate(db, "registry", [tables]);
}
