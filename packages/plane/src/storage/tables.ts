import { type Database, migrate } from "@tally/oci";

// Times are milliseconds since 1970, digests `sha256:…`, sizes and indices counts of entries. Tables marked "index" can be
// emptied and are filled again from the logs; the others are the plane's own memory.
const tables = [
  // Blobs that the API serves. Bytes are shared with the registry, the right to read them is not.
  "CREATE TABLE evidence_blob (digest TEXT NOT NULL PRIMARY KEY, size BIGINT NOT NULL)",

  `CREATE TABLE token (
    hash TEXT NOT NULL PRIMARY KEY, role TEXT NOT NULL, repository TEXT NOT NULL, origin TEXT, note TEXT,
    created BIGINT NOT NULL, expires BIGINT NOT NULL)`,
  `CREATE TABLE enrolment_token (
    hash TEXT NOT NULL PRIMARY KEY, name TEXT, device_group TEXT, expires BIGINT NOT NULL,
    genesis TEXT)`,
  `CREATE TABLE device (
    origin TEXT NOT NULL PRIMARY KEY, device_id TEXT NOT NULL, epoch INTEGER NOT NULL, name TEXT, device_group TEXT,
    genesis TEXT NOT NULL, enrolled BIGINT NOT NULL, last_sync BIGINT)`,
  "CREATE INDEX device_by_id ON device (device_id, epoch)",
  `CREATE TABLE conflict (
    origin TEXT NOT NULL, evidence TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, found BIGINT NOT NULL,
    PRIMARY KEY (origin, evidence))`,

  // Leaf lists of heads trees: whole where base is null, else what changed since the tree before.
  `CREATE TABLE heads_tree (
    seq INTEGER PRIMARY KEY, root TEXT NOT NULL UNIQUE, n INTEGER NOT NULL, base BIGINT, leaves BLOB NOT NULL)`,
  `CREATE TABLE fleet_note (size BIGINT NOT NULL PRIMARY KEY, note TEXT NOT NULL)`,
  `CREATE TABLE device_note (
    origin TEXT NOT NULL, size BIGINT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (origin, size))`,
  `CREATE TABLE cosigned (
    note TEXT NOT NULL PRIMARY KEY, size BIGINT NOT NULL, not_before BIGINT, not_after BIGINT)`,
  "CREATE INDEX cosigned_by_size ON cosigned (size, not_after)",

  // Index of the plane's log.
  "CREATE TABLE log_index (log TEXT NOT NULL PRIMARY KEY, next BIGINT NOT NULL)",
  "CREATE TABLE heads (idx BIGINT NOT NULL PRIMARY KEY, root TEXT NOT NULL)",
  `CREATE TABLE head_step (
    origin TEXT NOT NULL, heads BIGINT NOT NULL, pending_size BIGINT NOT NULL, mirrored_size BIGINT NOT NULL,
    PRIMARY KEY (origin, heads))`,
  `CREATE TABLE statement (
    idx BIGINT NOT NULL PRIMARY KEY, envelope TEXT NOT NULL UNIQUE, type TEXT NOT NULL, signed_by TEXT NOT NULL)`,
  `CREATE TABLE statement_subject (
    subject TEXT NOT NULL, idx BIGINT NOT NULL, PRIMARY KEY (subject, idx))`,
  `CREATE TABLE release_statement (
    channel TEXT NOT NULL, sequence BIGINT NOT NULL, idx BIGINT NOT NULL, manifest TEXT NOT NULL, envelope TEXT NOT NULL,
    PRIMARY KEY (channel, sequence, idx))`,

  // Index of mirrored ledgers, by packages of 256 entries.
  `CREATE TABLE ledger_index (
    origin TEXT NOT NULL PRIMARY KEY, next BIGINT NOT NULL, run TEXT, records BIGINT NOT NULL)`,
  `CREATE TABLE package_model (
    origin TEXT NOT NULL, package BIGINT NOT NULL, load_idx BIGINT NOT NULL, records INTEGER NOT NULL,
    PRIMARY KEY (origin, package, load_idx))`,
  `CREATE TABLE load_entry (
    origin TEXT NOT NULL, idx BIGINT NOT NULL, manifest TEXT, grade TEXT NOT NULL, outcome TEXT NOT NULL,
    reason INTEGER NOT NULL, files TEXT NOT NULL, PRIMARY KEY (origin, idx))`,
  "CREATE INDEX load_by_manifest ON load_entry (manifest)",
  `CREATE TABLE anchor_entry (
    origin TEXT NOT NULL, idx BIGINT NOT NULL, size BIGINT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (origin, idx))`,
  "CREATE TABLE stating_entry (origin TEXT NOT NULL, idx BIGINT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (origin, idx))",
  `CREATE TABLE segment_entry (
    origin TEXT NOT NULL, idx BIGINT NOT NULL, from_idx BIGINT NOT NULL, to_idx BIGINT NOT NULL, artifact TEXT NOT NULL,
    PRIMARY KEY (origin, idx))`,
  "CREATE INDEX segment_by_artifact ON segment_entry (artifact)",

  // What was pushed to the built-in registry with a subject.
  `CREATE TABLE pushed_referrer (
    repository TEXT NOT NULL, manifest TEXT NOT NULL, subject TEXT NOT NULL, artifact_type TEXT,
    PRIMARY KEY (repository, manifest))`,
  "CREATE INDEX pushed_by_subject ON pushed_referrer (subject)",
  "CREATE INDEX pushed_by_manifest ON pushed_referrer (manifest)",
];

/** Brings the plane's tables up to date. */
export function migratePlane(db: Database): Promise<void> {
  return migrate(db, "plane", [tables]);
}
