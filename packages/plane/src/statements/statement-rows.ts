import {
  type Digest,
  deviceOfLedger,
  erasureType,
  parseErasure,
  parseQuarantine,
  parseRelease,
  quarantineType,
  releaseType,
  type Statement,
} from "@tally/evidence";
import { type Database, migrate } from "@tally/oci";
import type { StatementRow } from "../audit/source.ts";

/** What the index says of one statement: made from a leaf of the plane's log and the envelope that it names. */
export interface IndexedStatement extends StatementRow {
  readonly subjects: readonly Digest[];
  /** Key ids of the known identities that signed. */
  readonly signedBy: readonly string[];
  readonly statement: Statement;
}

interface Row {
  readonly envelope: Digest;
  readonly idx: number;
  readonly predicate_type: string;
}

/** The place of a release in its channel. */
export interface ReleaseRow {
  readonly sequence: number;
  readonly envelope: Digest;
  readonly manifest: Digest;
  /** Index in the plane's log. */
  readonly index: number;
}

/** Beside the tables of statements themselves, which are the plane's. */
export const statementTables = [
  [
    "CREATE INDEX IF NOT EXISTS statement_idx ON statement (idx)",
    "CREATE INDEX IF NOT EXISTS statement_subject_envelope ON statement_subject (envelope)",
    "CREATE TABLE statement_progress (log TEXT PRIMARY KEY, next INTEGER NOT NULL)",
  ],
  [
    "CREATE TABLE erasure (envelope TEXT PRIMARY KEY, origin TEXT NOT NULL, first_idx INTEGER NOT NULL, last_idx INTEGER NOT NULL)",
    "CREATE INDEX erasure_origin ON erasure (origin, first_idx)",
  ],
  // By the part of a ledger's name that all epochs of its device share.
  [
    "CREATE TABLE quarantine (envelope TEXT PRIMARY KEY, device TEXT NOT NULL)",
    "CREATE INDEX quarantine_device ON quarantine (device)",
  ],
];

/** The index over the statements of the plane's log. Every row of it follows from the log. */
export class StatementRows {
  readonly #db: Database;
  readonly #log: string;

  /** @param log the log's origin */
  constructor(db: Database, log: string) {
    this.#db = db;
    this.#log = log;
  }

  async createTables(): Promise<void> {
    await migrate(this.#db, "statements", statementTables);
  }

  /** The entry of the log up to which, not including it, rows are complete. */
  async next(): Promise<number> {
    const [row] = await this.#db.query<{ next: number }>("SELECT next FROM statement_progress WHERE log = ?", [
      this.#log,
    ]);
    return row?.next ?? 0;
  }

  /** Adds rows and moves on, all or nothing. A statement that is already there stays as it is. */
  async add(statements: readonly IndexedStatement[], next: number): Promise<void> {
    await this.#db.transaction(async (db) => {
      for (const indexed of statements) await insert(db, indexed);
      await db.run(
        "INSERT INTO statement_progress (log, next) VALUES (?, ?) ON CONFLICT (log) DO UPDATE SET next = excluded.next",
        [this.#log, next],
      );
    });
  }

  async row(envelope: Digest): Promise<StatementRow | undefined> {
    const rows = await this.#db.query<Row>("SELECT envelope, idx, predicate_type FROM statement WHERE envelope = ?", [
      envelope,
    ]);
    return rows.map(fromRow)[0];
  }

  /** The first ones from this index on. */
  async from(index: number, limit: number): Promise<readonly StatementRow[]> {
    const rows = await this.#db.query<Row>(
      "SELECT envelope, idx, predicate_type FROM statement WHERE idx >= ? ORDER BY idx LIMIT ?",
      [index, limit],
    );
    return rows.map(fromRow);
  }

  /** Key ids of the known identities that signed. */
  async signedBy(envelope: Digest): Promise<readonly string[]> {
    const sql = "SELECT signed_by FROM statement WHERE envelope = ?";
    const [row] = await this.#db.query<{ signed_by: string }>(sql, [envelope]);
    return row === undefined ? [] : (JSON.parse(row.signed_by) as string[]);
  }

  /** By index. */
  async about(subject: Digest): Promise<readonly StatementRow[]> {
    const rows = await this.#db.query<Row>(
      "SELECT s.envelope, s.idx, s.predicate_type FROM statement_subject b JOIN statement s ON s.envelope = b.envelope WHERE b.subject = ? ORDER BY s.idx",
      [subject],
    );
    return rows.map(fromRow);
  }

  /** With subjects and signers, by index. */
  async list(filter: {
    readonly subject?: Digest;
    readonly type?: string;
  }): Promise<readonly Omit<IndexedStatement, "statement">[]> {
    const conditions = [
      ...(filter.subject === undefined
        ? []
        : ["s.envelope IN (SELECT envelope FROM statement_subject WHERE subject = ?)"]),
      ...(filter.type === undefined ? [] : ["s.predicate_type = ?"]),
    ];
    const rows = await this.#db.query<Row & { signed_by: string; subject: Digest }>(
      `SELECT s.envelope, s.idx, s.predicate_type, s.signed_by, b.subject FROM statement s JOIN statement_subject b ON b.envelope = s.envelope
       ${conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`} ORDER BY s.idx, b.subject`,
      [filter.subject, filter.type].filter((value) => value !== undefined),
    );
    const byEnvelope = Map.groupBy(rows, (row) => row.envelope);
    return [...byEnvelope.values()].map((group) => ({
      ...fromRow(group[0]!),
      subjects: group.map(({ subject }) => subject),
      signedBy: JSON.parse(group[0]!.signed_by) as string[],
    }));
  }

  /** Erasures in a ledger of which some record may be among the entries [from, to), by index. */
  async erasures(origin: string, from: number, to: number): Promise<readonly StatementRow[]> {
    const rows = await this.#db.query<Row>(
      "SELECT s.envelope, s.idx, s.predicate_type FROM erasure e JOIN statement s ON s.envelope = e.envelope WHERE e.origin = ? AND e.first_idx < ? AND e.last_idx >= ? ORDER BY s.idx",
      [origin, to, from],
    );
    return rows.map(fromRow);
  }

  /** Quarantines of what a device recorded, and of its segments, by index. `origin`: any ledger of the device. */
  async quarantines(origin: string): Promise<readonly StatementRow[]> {
    const rows = await this.#db.query<Row>(
      "SELECT s.envelope, s.idx, s.predicate_type FROM quarantine q JOIN statement s ON s.envelope = q.envelope WHERE q.device = ? ORDER BY s.idx",
      [deviceOfLedger(origin)],
    );
    return rows.map(fromRow);
  }

  /** The channel's release of the highest number, of those below `size` in the log. */
  async newestRelease(channel: string, size = Number.MAX_SAFE_INTEGER): Promise<ReleaseRow | undefined> {
    const [row] = await this.#db.query<{ sequence: number; envelope: Digest; manifest: Digest; idx: number }>(
      "SELECT r.sequence, r.envelope, r.manifest, s.idx FROM release r JOIN statement s ON s.envelope = r.envelope WHERE r.channel = ? AND s.idx < ? ORDER BY r.sequence DESC LIMIT 1",
      [channel, size],
    );
    if (row === undefined) return undefined;
    const { sequence, envelope, manifest, idx } = row;
    return { sequence, envelope, manifest, index: idx };
  }
}

async function insert(db: Database, indexed: IndexedStatement): Promise<void> {
  const { envelope, index, predicateType, subjects, signedBy, statement } = indexed;
  await db.run(
    "INSERT INTO statement (envelope, idx, predicate_type, signed_by) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [envelope, index, predicateType, JSON.stringify(signedBy)],
  );
  for (const subject of new Set(subjects)) {
    await db.run("INSERT INTO statement_subject (subject, envelope) VALUES (?, ?) ON CONFLICT DO NOTHING", [
      subject,
      envelope,
    ]);
  }
  if (predicateType === erasureType) {
    const { origin, records } = parseErasure(statement);
    await db.run(
      "INSERT INTO erasure (envelope, origin, first_idx, last_idx) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      [envelope, origin, records[0]!.index, records.at(-1)!.index],
    );
  }
  if (predicateType === quarantineType) {
    const word = parseQuarantine(statement);
    if (word.decision === "quarantine" && "origin" in word.what) {
      await db.run("INSERT INTO quarantine (envelope, device) VALUES (?, ?) ON CONFLICT DO NOTHING", [
        envelope,
        deviceOfLedger(word.what.origin),
      ]);
    }
  }
  if (predicateType !== releaseType) return;
  const { channel, sequence, manifest } = parseRelease(statement);
  await db.run(
    "INSERT INTO release (channel, sequence, envelope, manifest) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [channel, sequence, envelope, manifest],
  );
}

function fromRow({ envelope, idx, predicate_type }: Row): StatementRow {
  return { envelope, index: idx, predicateType: predicate_type };
}
