import { type Database, migrate } from "@tally/oci";
import { entryTables } from "../mirror/index-rows.ts";

// What the plane keeps beside its logs and blobs. Tables of the second step are an index: every row of them can be
// rebuilt from the logs. Portable SQL, one statement a string.

const access = [
  "CREATE TABLE token (hash TEXT PRIMARY KEY, role TEXT NOT NULL, repository TEXT NOT NULL, origin TEXT, expires INTEGER NOT NULL, note TEXT)",
  "CREATE TABLE enrolment_token (hash TEXT PRIMARY KEY, name TEXT, device_group TEXT, expires INTEGER NOT NULL, origin TEXT)",
  "CREATE TABLE identity (key_id TEXT PRIMARY KEY, name TEXT NOT NULL, pem TEXT NOT NULL, may TEXT NOT NULL, repositories TEXT NOT NULL)",
  "CREATE TABLE device (origin TEXT PRIMARY KEY, device_id TEXT NOT NULL, epoch INTEGER NOT NULL, name TEXT, device_group TEXT, state TEXT NOT NULL, genesis TEXT NOT NULL, key_set BLOB NOT NULL, fleet_index INTEGER NOT NULL, last_sync INTEGER)",
  "CREATE TABLE conflict (origin TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, held TEXT NOT NULL, refused TEXT NOT NULL, proof TEXT NOT NULL, evidence TEXT NOT NULL, PRIMARY KEY (origin, held, refused))",
  "CREATE TABLE checkpoint (log TEXT NOT NULL, note TEXT NOT NULL, size INTEGER NOT NULL, not_before INTEGER, not_after INTEGER, PRIMARY KEY (log, note))",
  "CREATE INDEX checkpoint_size ON checkpoint (log, size)",
  "CREATE TABLE device_note (origin TEXT NOT NULL, size INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (origin, size))",
  "CREATE TABLE heads (idx INTEGER PRIMARY KEY, fleet_size INTEGER NOT NULL, base INTEGER, leaves BLOB NOT NULL)",
];

export const indexTables: readonly string[] = [
  "CREATE TABLE statement (envelope TEXT PRIMARY KEY, idx INTEGER NOT NULL, predicate_type TEXT NOT NULL, signed_by TEXT NOT NULL)",
  "CREATE TABLE statement_subject (subject TEXT NOT NULL, envelope TEXT NOT NULL, PRIMARY KEY (subject, envelope))",
  "CREATE TABLE release (channel TEXT NOT NULL, sequence INTEGER NOT NULL, envelope TEXT NOT NULL, manifest TEXT NOT NULL, PRIMARY KEY (channel, sequence))",
  "CREATE TABLE head_step (origin TEXT NOT NULL, heads INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (origin, heads))",
  "CREATE TABLE run (origin TEXT PRIMARY KEY, next INTEGER NOT NULL, state TEXT NOT NULL)",
  "CREATE TABLE package (origin TEXT NOT NULL, package INTEGER NOT NULL, load INTEGER NOT NULL, records INTEGER NOT NULL, PRIMARY KEY (origin, package, load))",
  "CREATE TABLE load (origin TEXT NOT NULL, idx INTEGER NOT NULL, manifest TEXT, grade TEXT NOT NULL, outcome TEXT NOT NULL, reason INTEGER NOT NULL, PRIMARY KEY (origin, idx))",
  "CREATE INDEX load_manifest ON load (manifest)",
  "CREATE TABLE anchor (origin TEXT NOT NULL, idx INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (origin, idx))",
  "CREATE TABLE stating (origin TEXT NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (origin, idx))",
  "CREATE TABLE segment (origin TEXT NOT NULL, idx INTEGER NOT NULL, from_idx INTEGER NOT NULL, to_idx INTEGER NOT NULL, artifact TEXT NOT NULL, PRIMARY KEY (origin, idx))",
  "CREATE INDEX segment_artifact ON segment (artifact)",
];

const later = [
  "CREATE INDEX token_origin ON token (origin)",
  // What people have pushed into the registry: manifests and their parts. Devices pull these and nothing else.
  "CREATE TABLE published (repository TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (repository, digest))",
];

// What summaries of answers look up: gaps of a ledger, and the plane's checkpoints by their time.
export const gapTable = "CREATE TABLE gap (origin TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (origin, idx))";
const summaries = [gapTable, "CREATE INDEX checkpoint_time ON checkpoint (log, not_after)"];

// Ledgers that were taken in before there was a table for their gaps are read again.
const again = entryTables.map((table) => `DELETE FROM ${table}`);

const periods = ["ALTER TABLE identity ADD COLUMN from_ms INTEGER", "ALTER TABLE identity ADD COLUMN until_ms INTEGER"];

// A keyless identity has no key: `pem` is empty, and `keyless` is the JSON of whom a certificate has to name.
const keyless = [
  "ALTER TABLE identity ADD COLUMN keyless TEXT",
  "CREATE TABLE trust_root (name TEXT PRIMARY KEY, json TEXT NOT NULL)",
];

/** Brings the plane's tables up to date. */
export function createTables(db: Database): Promise<void> {
  return migrate(db, "plane", [access, indexTables, later, summaries, again, periods, keyless]);
}
