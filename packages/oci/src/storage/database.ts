/** What a column may hold. Integers beyond ±(2^53 − 1) are not stored; booleans are 0 and 1. */
export type SqlValue = string | number | bigint | null | Uint8Array;

export interface TransactionOptions {
  /**
   * False for what can be derived again: it does not wait for the disk, is durable together with the next transaction that does,
   * and may be gone after a power cut, as a whole. Default true.
   */
  readonly synced?: boolean;
}

/**
 * A relational database behind a small asynchronous interface, so that SQLite and a database server can both stand there.
 * SQL is the portable part of the language, parameters are `?`.
 */
export interface Database {
  query<T extends object = Record<string, SqlValue>>(sql: string, params?: readonly SqlValue[]): Promise<T[]>;
  run(sql: string, params?: readonly SqlValue[]): Promise<{ changes: number }>;
  /**
   * Runs `step` atomically: all of its statements are durable when it resolves, or none is when it throws. Statements go
   * through the handle given to it; the outer handle waits until the transaction has ended, and refuses when used from
   * inside, since that would wait for itself.
   */
  transaction<T>(step: (db: Database) => Promise<T>, options?: TransactionOptions): Promise<T>;
  close(): Promise<void>;
}

/**
 * Brings one owner's tables up to date: runs the steps not yet run, in order, each in a transaction of its own with the
 * note that it was. Steps that were published are never changed, only added to.
 *
 *     await migrate(db, "registry", ["CREATE TABLE …", "ALTER TABLE …"]);
 */
export async function migrate(
  db: Database,
  owner: string,
  steps: readonly (string | readonly string[])[],
): Promise<void> {
  await db.run(
    "CREATE TABLE IF NOT EXISTS migration (owner TEXT NOT NULL, step INTEGER NOT NULL, PRIMARY KEY (owner, step))",
  );
  for (const [index, step] of steps.entries()) {
    await db.transaction(async (tx) => {
      const done = await tx.query("SELECT step FROM migration WHERE owner = ? AND step = ?", [owner, index]);
      if (done.length > 0) return;
      for (const sql of typeof step === "string" ? [step] : step) await tx.run(sql);
      await tx.run("INSERT INTO migration (owner, step) VALUES (?, ?)", [owner, index]);
    });
  }
}
