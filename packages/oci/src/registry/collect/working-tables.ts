import type { Database } from "../../storage/database.ts";

/**
 * What one collection notes down. Temporary tables: for a million manifests they are 400 MB that no disk has to have safely, and
 * that are gone with the process.
 */
export const workingTables: readonly string[] = [
  "CREATE TEMPORARY TABLE collect_named (digest TEXT NOT NULL PRIMARY KEY, because TEXT NOT NULL)",
  `CREATE TEMPORARY TABLE collect_kept (
    repository TEXT NOT NULL, digest TEXT NOT NULL, because TEXT NOT NULL, seq BIGINT NOT NULL,
    PRIMARY KEY (repository, digest))`,
  "CREATE INDEX temp.collect_kept_seq ON collect_kept (repository, seq)",
  // What would go, in a dry run.
  `CREATE TEMPORARY TABLE collect_going (
    repository TEXT NOT NULL, digest TEXT NOT NULL, what TEXT NOT NULL,
    PRIMARY KEY (repository, digest, what))`,
];

export async function dropWorkingTables(db: Database): Promise<void> {
  for (const table of ["collect_named", "collect_kept", "collect_going"]) await db.run(`DROP TABLE IF EXISTS ${table}`);
}

/** A step that changes working tables only, and waits for no disk. */
export function inStep<T>(db: Database, step: (tx: Database) => Promise<T>): Promise<T> {
  return db.transaction(step, { synced: false });
}
