import { type Database, migrate } from "@tally/oci";

// Beside `device` and `conflict`. All but `epoch_request` and `handover` follow from the plane's two logs.
const lifecycle = [
  "CREATE TABLE epoch_request (origin TEXT PRIMARY KEY, device_id TEXT NOT NULL, epoch INTEGER NOT NULL, genesis TEXT NOT NULL, key_set BLOB NOT NULL, mirrored_size INTEGER NOT NULL, orphan_size INTEGER NOT NULL, orphan_from INTEGER, bundles TEXT NOT NULL, at INTEGER NOT NULL)",
  "CREATE TABLE device_keys (origin TEXT NOT NULL, from_size INTEGER NOT NULL, key_set BLOB NOT NULL, PRIMARY KEY (origin, from_size))",
  "CREATE TABLE handover (origin TEXT NOT NULL, size INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (origin, size))",
  "CREATE TABLE revoked_key (key_id TEXT PRIMARY KEY, compromise_time INTEGER)",
  "CREATE TABLE decided (statement TEXT PRIMARY KEY)",
  "CREATE TABLE settled (origin TEXT NOT NULL, evidence TEXT NOT NULL, PRIMARY KEY (origin, evidence))",
];

// Where in the fleet log each revocation of a person's key stands. Filled at the next start, which reads the log anew.
const peopleKeys = ["CREATE TABLE key_revocation (idx INTEGER PRIMARY KEY, statement TEXT NOT NULL)"];

/** Brings the fleet's own tables up to date. */
export function createFleetTables(db: Database): Promise<void> {
  return migrate(db, "fleet", [lifecycle, peopleKeys]);
}
