import { advanceRun, decodeEntry, digestFromHash, type Entry, EvidenceError, type RunState } from "@tally/evidence";
import { ConvictionError, type LogReader } from "@tally/ledger";
import type { Database, SqlValue } from "@tally/oci";
import { PlaneError } from "../error.ts";

/** Records of one load within one entry bundle of 256: about a byte a record, and enough to find the bundles to read. */
const packageLength = 256;
const catchUpLength = 4096;

/**
 * The index over mirrored ledgers. Entries pass through it before they are stored: ordinals and summaries are recomputed
 * on arrival, and a ledger that breaks the rules is convicted by its own entries (evidence.md 5). Rows and the run's state
 * are written together, so entries that come a second time, after a failure, are skipped.
 */
export class EntryIndex {
  readonly #db: Database;
  readonly #runs = new Map<string, RunState | undefined>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** For the mirror's `inspect`. @throws ConvictionError */
  async take(origin: string, from: number, entries: readonly Uint8Array[]): Promise<void> {
    let state = await this.#stateOf(origin);
    if (from > (state?.next ?? 0)) {
      // Ours to mend: the index is of another time than the mirror. What the device sends is not to be judged by it.
      throw new PlaneError(
        "internal",
        `the index of ${origin} ends at ${state?.next ?? 0}, entries come from ${from}`,
        {
          hint: "start the plane again: it reads what is missing from the mirror",
        },
      );
    }
    const skip = Math.max(0, (state?.next ?? 0) - from);
    const rows: [sql: string, params: readonly SqlValue[]][] = [];
    const counts = new Map<string, { package: number; load: number; records: number }>();
    for (const [i, bytes] of entries.slice(skip).entries()) {
      const index = from + skip + i;
      const entry = readEntry(bytes, index);
      state = advance(state, entry);
      if (entry.kind === "inference") {
        const place = { package: Math.floor(index / packageLength), load: entry.loadIndex };
        const key = `${place.package}/${place.load}`;
        counts.set(key, { ...place, records: (counts.get(key)?.records ?? 0) + 1 });
      } else rows.push(...rowsOf(origin, index, entry));
    }
    if (state === undefined) return;
    const stored = serialise(state);
    // Whatever comes of it, the database knows best.
    this.#runs.delete(origin);
    await this.#db.transaction(async (db) => {
      for (const [sql, params] of rows) await db.run(sql, params);
      for (const { package: bundle, load, records } of counts.values()) {
        await db.run(
          "INSERT INTO package (origin, package, load, records) VALUES (?, ?, ?, ?) ON CONFLICT (origin, package, load) DO UPDATE SET records = records + excluded.records",
          [origin, bundle, load, records],
        );
      }
      await db.run(
        "INSERT INTO run (origin, next, state) VALUES (?, ?, ?) ON CONFLICT (origin) DO UPDATE SET next = excluded.next, state = excluded.state",
        [origin, state!.next, stored],
      );
    });
    this.#runs.set(origin, state);
  }

  /** Reads what the mirror holds and the index has not, as after a restore of the database from an older copy. */
  async catchUp(log: LogReader & { readonly nextEntry: number }): Promise<void> {
    const { origin, nextEntry } = log;
    let next = (await this.#stateOf(origin))?.next ?? 0;
    while (next < nextEntry) {
      const to = Math.min(next + catchUpLength, nextEntry);
      await this.take(origin, next, await Array.fromAsync(log.entries(next, to)));
      next = to;
    }
  }

  async #stateOf(origin: string): Promise<RunState | undefined> {
    if (this.#runs.has(origin)) return this.#runs.get(origin);
    const [row] = await this.#db.query<{ state: string }>("SELECT state FROM run WHERE origin = ?", [origin]);
    const state = row === undefined ? undefined : deserialise(row.state);
    this.#runs.set(origin, state);
    return state;
  }
}

function readEntry(bytes: Uint8Array, index: number): Entry {
  try {
    return decodeEntry(bytes);
  } catch (cause) {
    throw convicting(cause, `entry ${index} is not an entry: `);
  }
}

function advance(state: RunState | undefined, entry: Entry): RunState {
  try {
    return advanceRun(state, entry);
  } catch (cause) {
    throw convicting(cause, "");
  }
}

/** What the rules say of an entry convicts its ledger. Anything else that is thrown is a fault of ours. */
function convicting(cause: unknown, before: string): unknown {
  return cause instanceof EvidenceError ? new ConvictionError(before + cause.message, { cause }) : cause;
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
