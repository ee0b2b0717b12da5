import { AsyncLocalStorage } from "node:async_hooks";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { OciError } from "../error.ts";
import type { Database, SqlValue, TransactionOptions } from "./database.ts";
import { hasNoRoomBeside } from "./room.ts";

const statementsKept = 256;

export interface SqliteOptions {
  /** Pages kept in memory, in MiB; 2 by default. More is for work that changes much of the database at once. */
  readonly cacheMebibytes?: number;
}

/**
 * Opens or creates an SQLite database (write-ahead log, every commit fsynced), or a private one in memory for ":memory:".
 * Statements and transactions run one after the other in the order of their calls.
 */
export async function openSqlite(path: string, { cacheMebibytes }: SqliteOptions = {}): Promise<Database> {
  if (path !== ":memory:") await mkdir(dirname(path), { recursive: true });
  const connection = await storingRows(path, async () => {
    const opened = new DatabaseSync(path, { timeout: 10_000 });
    try {
      opened.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  });
  if (cacheMebibytes !== undefined) connection.exec(`PRAGMA cache_size = -${Math.floor(cacheMebibytes) * 1024}`);
  return new SqliteDatabase(path, connection);
}

/** SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log. */
const fullCodes: readonly number[] = [13, 4874];
/** SQLITE_IOERR and SQLITE_CANTOPEN, whatever follows them: all that SQLite says where a quota is used up. */
const unclearCodes: readonly number[] = [10, 14];

/** A full disk or quota is `storage-full`, as it is for files; any other failure stays what it is. */
async function storingRows<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    const { errcode } = cause as { errcode?: unknown };
    if (typeof errcode !== "number") throw cause;
    const isUnclear = unclearCodes.includes(errcode & 0xff) && path !== ":memory:";
    if (!fullCodes.includes(errcode) && !(isUnclear && (await hasNoRoomBeside(path)))) throw cause;
    throw new OciError("storage-full", "no space left while writing the database", {
      cause,
      hint: "free some space and try again",
    });
  }
}

class SqliteDatabase implements Database {
  readonly #path: string;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #inside = new AsyncLocalStorage<{ open: boolean }>();
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(path: string, connection: DatabaseSync) {
    this.#path = path;
    this.#connection = connection;
  }

  query<T extends object>(sql: string, params: readonly SqlValue[] = []): Promise<T[]> {
    return this.#queue(async () => this.#all<T>(sql, params));
  }

  run(sql: string, params: readonly SqlValue[] = []): Promise<{ changes: number }> {
    return this.#queue(async () => this.#change(sql, params));
  }

  transaction<T>(step: (db: Database) => Promise<T>, { synced = true }: TransactionOptions = {}): Promise<T> {
    return this.#queue(async () => {
      if (synced) return this.#atomically("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", step);
      // In the write-ahead log commits stand in order, so that the next one that is synced takes this one along.
      this.#connection.exec("PRAGMA synchronous = NORMAL");
      try {
        return await this.#atomically("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", step);
      } finally {
        this.#connection.exec("PRAGMA synchronous = FULL");
      }
    });
  }

  close(): Promise<void> {
    return this.#queue(async () => {
      this.#closed = true;
      this.#statements.clear();
      this.#connection.close();
    });
  }

  #queue<T>(step: () => Promise<T>): Promise<T> {
    if (this.#inside.getStore()?.open) {
      return Promise.reject(
        new OciError("busy", "inside a transaction, use the handle that the transaction was given"),
      );
    }
    const done = this.#last.then(() => {
      if (this.#closed) throw new OciError("storage-failed", "the database is closed");
      return storingRows(this.#path, step);
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #atomically<T>(
    begin: string,
    commit: string,
    rollback: string,
    step: (db: Database) => Promise<T>,
  ): Promise<T> {
    this.#connection.exec(begin);
    const state = { open: true };
    try {
      const result = await this.#inside.run(state, () => step(this.#handle(state)));
      this.#connection.exec(commit);
      return result;
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (this.#connection.isTransaction) this.#connection.exec(rollback);
      throw error;
    } finally {
      state.open = false;
    }
  }

  /** The handle within a transaction: same connection, no queue, dead once the transaction has ended. */
  #handle(state: { open: boolean }): Database {
    const whileOpen = async <T>(step: () => T | Promise<T>): Promise<T> => {
      if (!state.open) throw new OciError("storage-failed", "the transaction of this handle has ended");
      return step();
    };
    return {
      query: <T extends object>(sql: string, params: readonly SqlValue[] = []) =>
        whileOpen(() => this.#all<T>(sql, params)),
      run: (sql, params = []) => whileOpen(() => this.#change(sql, params)),
      transaction: (step) =>
        whileOpen(() => this.#atomically("SAVEPOINT inner", "RELEASE inner", "ROLLBACK TO inner; RELEASE inner", step)),
      close: async () => {
        throw new OciError("busy", "a transaction cannot close the database");
      },
    };
  }

  #all<T extends object>(sql: string, params: readonly SqlValue[]): T[] {
    return this.#prepared(sql)
      .all(...params)
      .map((row) => ({ ...row }) as T);
  }

  #change(sql: string, params: readonly SqlValue[]): { changes: number } {
    return { changes: Number(this.#prepared(sql).run(...params).changes) };
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#connection.prepare(sql);
    if (this.#statements.size >= statementsKept)
      this.#statements.delete(this.#statements.keys().next().value as string);
    this.#statements.set(sql, statement);
    return statement;
  }
}
