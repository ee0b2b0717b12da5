import { rm } from "node:fs/promises";
import type { RowLabel, SegmentRow } from "@tally/edge";
import { type Digest, parseDigest, toHex } from "@tally/evidence";
import { type Database, openSqlite, type SqlValue } from "@tally/oci";
import type { VerifiedContent } from "../open-segments.ts";
import { usageError } from "../terminal/index.ts";
import { sampleKey } from "./filters.ts";

/** A segment with how many of its rows go into the set. */
export interface GatheredSegment {
  readonly manifest: Digest;
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

/** A captured record that has no row. */
export interface AbsentRecord {
  readonly origin: string;
  readonly index: number;
  /** Hex. */
  readonly leaf: string;
}

const schema = [
  "CREATE TABLE IF NOT EXISTS query (one INTEGER PRIMARY KEY CHECK (one = 1), of TEXT NOT NULL) STRICT",
  "CREATE TABLE IF NOT EXISTS segment (manifest TEXT PRIMARY KEY, origin TEXT NOT NULL, first INTEGER NOT NULL, beyond INTEGER NOT NULL) STRICT, WITHOUT ROWID",
  // One record may lie in two segments; what is left when one of them is dropped has to be whole.
  "CREATE TABLE IF NOT EXISTS item (manifest TEXT NOT NULL, origin TEXT NOT NULL, idx INTEGER NOT NULL, leaf TEXT NOT NULL, kept INTEGER NOT NULL, place TEXT NOT NULL, row TEXT NOT NULL, PRIMARY KEY (origin, idx, manifest)) STRICT, WITHOUT ROWID",
  "CREATE INDEX IF NOT EXISTS item_place ON item (kept, place)",
  "CREATE INDEX IF NOT EXISTS item_manifest ON item (manifest, kept)",
  "CREATE TABLE IF NOT EXISTS late (manifest TEXT NOT NULL, origin TEXT NOT NULL, idx INTEGER NOT NULL, leaf TEXT NOT NULL, label INTEGER NOT NULL, said TEXT NOT NULL, PRIMARY KEY (origin, idx, leaf, label, manifest)) STRICT, WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS absent (manifest TEXT NOT NULL, origin TEXT NOT NULL, idx INTEGER NOT NULL, leaf TEXT NOT NULL, PRIMARY KEY (origin, idx, manifest)) STRICT, WITHOUT ROWID",
];

/** Rows held in memory at a time. */
const pageRows = 64;

/**
 * What a query has gathered so far, on disk beside its result: segments whose rows were verified, each whole or not there, so
 * that one that was interrupted goes on with the next segment. It takes contents in the clear and is removed at the end.
 */
export class Gathered {
  readonly #db: Database;
  readonly #path: string;

  private constructor(db: Database, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /**
   * @param of what has to be the same for what was gathered before to be of use: model, plane and trust file
   * @throws CliError usage error where the folder has another query's
   */
  static async open(path: string, of: string): Promise<Gathered> {
    const db = await openSqlite(path);
    try {
      for (const sql of schema) await db.run(sql);
      await db.run("INSERT OR IGNORE INTO query (one, of) VALUES (1, ?)", [of]);
      const [row] = await db.query<{ of: string }>("SELECT of FROM query");
      if (row?.of === of) return new Gathered(db, path);
    } catch (error) {
      await db.close();
      throw error;
    }
    await db.close();
    throw usageError(
      `${path} is of another model, plane or trust file`,
      "go on with what that query was given, or name another folder",
    );
  }

  async manifests(): Promise<ReadonlySet<string>> {
    return new Set((await this.#db.query<{ manifest: string }>("SELECT manifest FROM segment")).map((s) => s.manifest));
  }

  /** Forgets segments that are no longer wanted, such as those that were replaced meanwhile. */
  async drop(manifests: Iterable<string>): Promise<void> {
    for (const manifest of manifests) {
      await this.#db.transaction(async (db) => {
        for (const table of ["segment", "item", "late", "absent"])
          await db.run(`DELETE FROM ${table} WHERE manifest = ?`, [manifest]);
      });
    }
  }

  /** Keeps all of a segment, or nothing of it. `model`: only absent records of it count. */
  async add(manifest: Digest, { origin, from, to, rows, late, absent }: VerifiedContent, model: Digest): Promise<void> {
    await this.#db.transaction(
      async (db) => {
        await db.run("INSERT INTO segment (manifest, origin, first, beyond) VALUES (?, ?, ?, ?)", [
          manifest,
          origin,
          from,
          to,
        ]);
        for (const row of rows) {
          await db.run(
            "INSERT INTO item (manifest, origin, idx, leaf, kept, place, row) VALUES (?, ?, ?, ?, 0, '', ?)",
            [manifest, row.origin, row.index, row.leaf, JSON.stringify(row)],
          );
        }
        for (const { record, index, leaf, who, value } of late) {
          await db.run("INSERT INTO late (manifest, origin, idx, leaf, label, said) VALUES (?, ?, ?, ?, ?, ?)", [
            manifest,
            record.origin,
            record.index,
            record.leaf,
            index,
            JSON.stringify({ index, leaf, who, value } satisfies RowLabel),
          ]);
        }
        for (const record of absent) {
          if (record.model !== model) continue;
          const values = [manifest, origin, record.index, toHex(record.leaf)];
          await db.run("INSERT INTO absent (manifest, origin, idx, leaf) VALUES (?, ?, ?, ?)", values);
        }
      },
      { synced: false },
    );
  }

  /** Every row once, by origin and index, with every label known of it. Only kept ones, where that is asked for. */
  async *rows(only: "all" | "kept"): AsyncGenerator<SegmentRow> {
    // The plus keeps SQLite from going by the index of kept rows, which is in another order.
    const where = only === "kept" ? "+kept = 1 AND" : "";
    for (let at: readonly SqlValue[] = ["", -1]; ; ) {
      const page = await this.#db.query<{ origin: string; idx: number; row: string }>(
        `SELECT origin, idx, min(manifest), row FROM item WHERE ${where} (origin, idx) > (?, ?) GROUP BY origin, idx ORDER BY origin, idx LIMIT ${pageRows}`,
        at,
      );
      for (const { row } of page) yield await this.#withLateLabels(JSON.parse(row) as SegmentRow);
      const last = page.at(-1);
      if (last === undefined) return;
      at = [last.origin, last.idx];
    }
  }

  async #withLateLabels(row: SegmentRow): Promise<SegmentRow> {
    const late = await this.#db.query<{ said: string }>(
      "SELECT said FROM late WHERE origin = ? AND idx = ? AND leaf = ? GROUP BY label ORDER BY label",
      [row.origin, row.index, row.leaf],
    );
    if (late.length === 0) return row;
    return { ...row, labels: [...row.labels, ...late.map(({ said }) => JSON.parse(said) as RowLabel)] };
  }

  /** Marks the rows that go into the set and gives their number; the seed is for the order in which samples are drawn. */
  async select(isKept: (row: SegmentRow) => boolean, seed: string): Promise<number> {
    await this.#db.run("UPDATE item SET kept = 0, place = '' WHERE kept = 1");
    let kept = 0;
    let page: SegmentRow[] = [];
    for await (const row of this.rows("all")) {
      if (!isKept(row)) continue;
      kept += 1;
      if (page.push(row) === pageRows) {
        await this.#keep(page, seed);
        page = [];
      }
    }
    await this.#keep(page, seed);
    return kept;
  }

  #keep(rows: readonly SegmentRow[], seed: string): Promise<void> {
    return this.#db.transaction(
      async (db) => {
        for (const row of rows) {
          const { origin, index } = row;
          await db.run(
            "UPDATE item SET kept = 1, place = ? WHERE origin = ? AND idx = ? AND manifest = (SELECT min(manifest) FROM item WHERE origin = ? AND idx = ?)",
            [sampleKey(seed, row), origin, index, origin, index],
          );
        }
      },
      { synced: false },
    );
  }

  /** Unmarks all but the first `count` marked rows in the order of their sample keys. */
  async sample(count: number): Promise<void> {
    await this.#db.run(
      "UPDATE item SET kept = 0 WHERE kept = 1 AND (origin, idx, manifest) NOT IN (SELECT origin, idx, manifest FROM item WHERE kept = 1 ORDER BY place, origin, idx LIMIT ?)",
      [count],
    );
  }

  /** By origin and range. */
  async segments(): Promise<readonly GatheredSegment[]> {
    const found = await this.#db.query<{
      manifest: string;
      origin: string;
      first: number;
      beyond: number;
      rows: number;
    }>(
      "SELECT s.manifest, s.origin, first, beyond, (SELECT count(*) FROM item i INDEXED BY item_manifest WHERE i.manifest = s.manifest AND kept = 1) AS rows FROM segment s ORDER BY s.origin, first, s.manifest",
    );
    return found.map(({ manifest, origin, first, beyond, rows }) => ({
      manifest: parseDigest(manifest),
      origin,
      from: first,
      to: beyond,
      rows,
    }));
  }

  /** Two histories of one ledger: the entry at which two segments hold another record. */
  async contradiction(): Promise<{ readonly origin: string; readonly index: number } | undefined> {
    const [found] = await this.#db.query<{ origin: string; idx: number }>(
      "SELECT origin, idx FROM item GROUP BY origin, idx HAVING min(leaf) <> max(leaf) LIMIT 1",
    );
    return found && { origin: found.origin, index: found.idx };
  }

  async *absent(): AsyncGenerator<AbsentRecord> {
    for (let at: readonly SqlValue[] = ["", -1]; ; ) {
      const page = await this.#db.query<{ origin: string; idx: number; leaf: string }>(
        "SELECT origin, idx, leaf FROM absent a WHERE (origin, idx) > (?, ?) AND NOT EXISTS (SELECT 1 FROM item i WHERE i.origin = a.origin AND i.idx = a.idx) GROUP BY origin, idx ORDER BY origin, idx LIMIT 1000",
        at,
      );
      for (const { origin, idx, leaf } of page) yield { origin, index: idx, leaf };
      const last = page.at(-1);
      if (last === undefined) return;
      at = [last.origin, last.idx];
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  /** Closes it and removes it from the disk. */
  async remove(): Promise<void> {
    await this.close();
    for (const end of ["", "-wal", "-shm"]) await rm(`${this.#path}${end}`, { force: true });
  }
}
