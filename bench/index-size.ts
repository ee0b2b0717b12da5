import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const indexTables = ["package", "run", "load", "anchor", "stating", "gap", "segment"];

/** Bytes on disk of the tables by which a stopped plane finds records, their own indexes included. */
export function indexBytes(planeDir: string): number {
  const db = new DatabaseSync(join(planeDir, "plane.db"), { readOnly: true });
  try {
    const sizes = db
      .prepare(
        `SELECT SUM(d.pgsize) AS bytes FROM dbstat d JOIN sqlite_schema s ON s.name = d.name
          WHERE s.tbl_name IN (${indexTables.map(() => "?").join(", ")})`,
      )
      .get(...indexTables) as { bytes: number };
    return sizes.bytes;
  } finally {
    db.close();
  }
}
