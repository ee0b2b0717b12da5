import { digestFromHash, type Entry, type RunState } from "@tally/evidence";
import type { Database, SqlValue } from "@tally/oci";
import type { TakenEntries } from "./ledger-run.ts";

/** The tables of the index over mirrored ledgers. All of their rows follow from the logs, and begin with the origin. */
export const entryTables = ["run", "package", "load", "anchor", "stating", "gap", "segment"] as const;

/** What the entries in the index came to; undefined where it holds none. */
export async function readState(db: Database, origin: string): Promise<RunState | undefined> {
  const [row] = await db.query<{ state: string }>("SELECT state FROM run WHERE origin = ?", [origin]);
  return row && deserialise(row.state);
}

/**
 * Writes what was taken and what it came to, together. Not synced: after a power cut the index may lack what the log has, and is
 * brought up to it again.
 */
export async function writeTaken(db: Database, origin: string, taken: TakenEntries, state: RunState): Promise<void> {
  const stored = serialise(state);
  await db.transaction(
    async (tx) => {
      for (const { index, entry } of taken.others) {
        for (const [sql, params] of rowsOf(origin, index, entry)) await tx.run(sql, params);
      }
      for (const { package: bundle, load, records } of taken.counts) {
        await tx.run(
          "INSERT INTO package (origin, package, load, records) VALUES (?, ?, ?, ?) ON CONFLICT (origin, package, load) DO UPDATE SET records = records + excluded.records",
          [origin, bundle, load, records],
        );
      }
      await tx.run(
        "INSERT INTO run (origin, next, state) VALUES (?, ?, ?) ON CONFLICT (origin) DO UPDATE SET next = excluded.next, state = excluded.state",
        [origin, state.next, stored],
      );
    },
    { synced: false },
  );
}

/** Takes a ledger out of the index. */
export async function removeRows(db: Database, origin: string): Promise<void> {
  await db.transaction(
    async (tx) => {
      for (const table of entryTables) await tx.run(`DELETE FROM ${table} WHERE origin = ?`, [origin]);
    },
    { synced: false },
  );
}

function rowsOf(origin: string, index: number, entry: Entry): [string, readonly SqlValue[]][] {
  const stating: [string, readonly SqlValue[]] = [
    "INSERT INTO stating (origin, idx, kind) VALUES (?, ?, ?)",
    [origin, index, entry.kind],
  ];
  const anchor = "INSERT INTO anchor (origin, idx, note) VALUES (?, ?, ?)";
  switch (entry.kind) {
    case "genesis":
      return [stating, [anchor, [origin, index, digestFromHash(entry.anchor.noteHash)]]];
    case "restart":
    case "summary":
      return [stating];
    case "anchor":
      return [[anchor, [origin, index, digestFromHash(entry.noteHash)]]];
    case "load":
      return [
        [
          "INSERT INTO load (origin, idx, manifest, grade, outcome, reason) VALUES (?, ?, ?, ?, ?, ?)",
          [origin, index, entry.manifest, entry.grade, entry.outcome, entry.reason],
        ],
      ];
    case "gap":
      return [["INSERT INTO gap (origin, idx) VALUES (?, ?)", [origin, index]]];
    case "segment":
      return [
        [
          "INSERT INTO segment (origin, idx, from_idx, to_idx, artifact) VALUES (?, ?, ?, ?, ?)",
          [origin, index, entry.from, entry.to, entry.artifact],
        ],
      ];
    default:
      return [];
  }
}

function serialise({ next, runStart, statedAt, loads }: RunState): string {
  return JSON.stringify({ next, runStart, statedAt, loads: [...loads] });
}

function deserialise(text: string): RunState {
  const { loads, ...rest } = JSON.parse(text) as Omit<RunState, "loads"> & {
    loads: [number, { count: number; unloadIndex: number | null }][];
  };
  return { ...rest, loads: new Map(loads) };
}
