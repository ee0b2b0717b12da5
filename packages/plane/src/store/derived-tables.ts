import { type Database, migrate } from "@tally/oci";
import { statementTables } from "../statements/statement-rows.ts";
import { gapTable, indexTables } from "./schema.ts";

/** Every statement that makes a table or index of derived data. */
const statements = [...indexTables, gapTable, ...statementTables.flat()];

/** The tables whose rows all follow from logs, blobs and lists of heads. */
export const derivedTables: readonly string[] = statements.flatMap((sql) => /^CREATE TABLE (\w+)/.exec(sql)?.[1] ?? []);

/** Whether one of them is gone from a database that `createTables` has seen. */
export async function derivedTablesMissing(db: Database): Promise<boolean> {
  await migrate(db, "statements", statementTables);
  const marks = derivedTables.map(() => "?").join(", ");
  const [row] = await db.query<{ n: number }>(
    `SELECT COUNT(*) AS n FROM sqlite_schema WHERE type = 'table' AND name IN (${marks})`,
    derivedTables,
  );
  return row!.n < derivedTables.length;
}

/** Empties all of them, making what is not there: the next to read the logs fills them. In one transaction. */
export async function emptyDerivedTables(db: Database): Promise<void> {
  await migrate(db, "statements", statementTables);
  await db.transaction(async (tx) => {
    for (const table of derivedTables) await tx.run(`DROP TABLE IF EXISTS ${table}`);
    for (const sql of statements) await tx.run(sql);
  });
}
