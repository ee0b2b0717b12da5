import { decodeCbor, decodeHeadLeaf, encodeCbor, type HeadLeaf, sortHeadLeaves } from "@tally/evidence";
import type { Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import { changedHeads } from "./changed-heads.ts";
import { encodedHead } from "./head-encodings.ts";

/** After so many changes in a row the leaves are stored in full again. */
const fullEvery = 64;

/** A heads entry of the plane's log, by its index. */
export interface StoredHeads {
  readonly index: number;
  readonly fleetSize: number;
}

/**
 * The leaves behind every `heads` entry, so that any of them can be rebuilt: a full list now and then, what changed in
 * between. Origins are only ever added.
 */
export class HeadsStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Keeps the leaves of the heads entry at `index`. */
  async keep(entry: StoredHeads, leaves: readonly HeadLeaf[], changed: readonly HeadLeaf[]): Promise<void> {
    const { index, fleetSize } = entry;
    const [before] = await this.#db.query<{ idx: number; base: number | null }>(
      "SELECT idx, base FROM heads WHERE idx < ? ORDER BY idx DESC LIMIT 1",
      [index],
    );
    const base = before === undefined ? null : (before.base ?? before.idx);
    const [{ n } = { n: fullEvery }] =
      base === null
        ? []
        : await this.#db.query<{ n: number }>("SELECT COUNT(*) AS n FROM heads WHERE base = ?", [base]);
    const full = base === null || n >= fullEvery;
    const stored = encodeCbor((full ? leaves : changed).map((leaf) => encodedHead(leaf).bytes));
    await this.#db.transaction(async (db) => {
      await db.run("INSERT INTO heads (idx, fleet_size, base, leaves) VALUES (?, ?, ?, ?)", [
        index,
        fleetSize,
        full ? null : base,
        stored,
      ]);
      await addSteps(db, index, changed);
    });
  }

  /** Makes the rows of `head_step` again where there are none, from the lists that heads entries commit to. In one transaction. */
  async catchUp(): Promise<void> {
    const [held] = await this.#db.query("SELECT heads FROM head_step LIMIT 1");
    if (held !== undefined) return;
    const rows = await this.#db.query<{ idx: number }>("SELECT idx FROM heads ORDER BY idx");
    const known = new Map<string, HeadLeaf>();
    await this.#db.transaction(async (db) => {
      for (const { idx } of rows) {
        const [row] = await db.query<{ leaves: Uint8Array }>("SELECT leaves FROM heads WHERE idx = ?", [idx]);
        const leaves = decode(row!.leaves);
        const before = leaves.flatMap(({ origin }) => known.get(origin) ?? []);
        await addSteps(db, idx, changedHeads(before, leaves));
        for (const leaf of leaves) known.set(leaf.origin, leaf);
      }
    });
  }

  /** The leaves of the heads entry at `index`, sorted. @throws PlaneError `not-found` */
  async leaves(index: number): Promise<readonly HeadLeaf[]> {
    const [row] = await this.#db.query<{ base: number | null; leaves: Uint8Array }>(
      "SELECT base, leaves FROM heads WHERE idx = ?",
      [index],
    );
    if (row === undefined) throw new PlaneError("not-found", `no heads are stored for entry ${index}`);
    if (row.base === null) return decode(row.leaves);
    const steps = await this.#db.query<{ leaves: Uint8Array }>(
      "SELECT leaves FROM heads WHERE idx >= ? AND idx <= ? AND (idx = ? OR base = ?) ORDER BY idx",
      [row.base, index, row.base, row.base],
    );
    const byOrigin = new Map<string, HeadLeaf>();
    for (const step of steps) for (const leaf of decode(step.leaves)) byOrigin.set(leaf.origin, leaf);
    return sortHeadLeaves([...byOrigin.values()]);
  }

  async last(): Promise<StoredHeads | undefined> {
    const [row] = await this.#db.query<{ idx: number; fleet_size: number }>(
      "SELECT idx, fleet_size FROM heads ORDER BY idx DESC LIMIT 1",
    );
    return row === undefined ? undefined : { index: row.idx, fleetSize: row.fleet_size };
  }

  async lastBelow(size: number): Promise<number | undefined> {
    const [row] = await this.#db.query<{ idx: number }>(
      "SELECT idx FROM heads WHERE idx < ? ORDER BY idx DESC LIMIT 1",
      [size],
    );
    return row?.idx;
  }
}

/** From which heads entry on a ledger had which size. */
async function addSteps(db: Database, index: number, changed: readonly HeadLeaf[]): Promise<void> {
  for (const { origin, pendingSize } of changed) {
    if (pendingSize === 0) continue;
    await db.run("INSERT INTO head_step (origin, heads, size) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [
      origin,
      index,
      pendingSize,
    ]);
  }
}

function decode(bytes: Uint8Array): HeadLeaf[] {
  return (decodeCbor(bytes) as readonly Uint8Array[]).map((leaf) => decodeHeadLeaf(leaf));
}
