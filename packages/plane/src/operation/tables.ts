import { type Database, migrate } from "@tally/oci";

// What the plane keeps to be operated. None of it is evidence, and an answer needs none of it.

const witnesses = [
  "CREATE TABLE witness_contradiction (witness TEXT NOT NULL, log TEXT NOT NULL, kind TEXT NOT NULL, theirs INTEGER NOT NULL, ours INTEGER NOT NULL, at INTEGER NOT NULL, url TEXT NOT NULL, said TEXT NOT NULL, offered TEXT NOT NULL, PRIMARY KEY (witness, log, kind, theirs, ours))",
];

const restored = [
  "CREATE TABLE own_checkpoint (note TEXT PRIMARY KEY, origin TEXT NOT NULL, size INTEGER NOT NULL, shown_by TEXT NOT NULL, at INTEGER NOT NULL)",
  "CREATE TABLE device_heard (origin TEXT NOT NULL, restored_at INTEGER NOT NULL, PRIMARY KEY (origin, restored_at))",
];

const devices = [
  "CREATE TABLE device_quota (origin TEXT PRIMARY KEY, day INTEGER NOT NULL, bytes INTEGER NOT NULL)",
  "CREATE TABLE device_blob (digest TEXT NOT NULL, origin TEXT NOT NULL, at INTEGER NOT NULL, from_idx INTEGER NOT NULL, named INTEGER NOT NULL, PRIMARY KEY (digest, origin))",
  "CREATE INDEX device_blob_at ON device_blob (named, at)",
];

const thousands = [
  "CREATE INDEX enrolment_token_origin ON enrolment_token (origin)",
  "CREATE INDEX device_of_id ON device (device_id)",
  "CREATE INDEX device_fleet_index ON device (fleet_index)",
];

const entryRequests = [
  "CREATE TABLE entry_request (origin TEXT NOT NULL, up_to INTEGER NOT NULL, end_size INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (origin, up_to))",
];

const registry = [
  "CREATE TABLE registry_refusal (repository TEXT NOT NULL, action TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, bearer TEXT NOT NULL, day INTEGER NOT NULL, rule TEXT NOT NULL, until INTEGER, n INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (repository, action, tag, digest, bearer, day))",
  "CREATE INDEX registry_refusal_last ON registry_refusal (last)",
];

/** Brings the tables of operation up to date, and indexes for large fleets; after the plane's own tables. */
export function createOperationTables(db: Database): Promise<void> {
  return migrate(db, "operation", [witnesses, restored, devices, thousands, entryRequests, registry]);
}
