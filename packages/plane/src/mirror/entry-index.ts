import type { PackedEntries } from "@tally/evidence";
import { type Inspector, type MirroredLog, packEntries } from "@tally/ledger";
import type { Database } from "@tally/oci";
import { readState, removeRows, writeTaken } from "./index-rows.ts";
import { LedgerRun } from "./ledger-run.ts";

/** What the index asks of a mirrored ledger. */
type IndexedLog = Pick<MirroredLog, "origin" | "nextEntry" | "entries">;

const catchUpLength = 8192;
/** Runs kept in memory, and the loads of all of them, of about 100 bytes each. */
const runsKept = 1024;
const loadsKept = 128 * 1024;

/**
 * The index over mirrored ledgers: derived data, of which the logs are the truth. Entries pass through it before they are stored,
 * and a ledger that breaks the rules is convicted by its own entries (evidence.md 5). Rows are written once the entries are
 * durable, before the upload is answered: the index is never ahead of a log, and never behind its mirror checkpoint while the
 * plane runs. After a power cut or a failure it is brought up from the log.
 */
export class EntryIndex implements Inspector {
  readonly #db: Database;
  /** In the order of their last use. */
  readonly #runs = new Map<string, LedgerRun>();
  /** Ledgers with entries that were checked and are on their way to the log. */
  readonly #pending = new Set<string>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** @throws ConvictionError */
  async check(log: IndexedLog, from: number, entries: PackedEntries): Promise<void> {
    const { origin } = log;
    const run = this.#at(origin, from) ?? (await this.#broughtTo(log, from));
    this.#runs.delete(origin);
    this.#pending.add(origin);
    try {
      run.take(entries);
    } catch (error) {
      this.#pending.delete(origin);
      throw error;
    }
    this.#keep(origin, run);
  }

  async stored(log: IndexedLog): Promise<void> {
    const { origin, nextEntry } = log;
    this.#pending.delete(origin);
    const run = this.#at(origin, nextEntry);
    // Unless all that was checked is durable, what was counted is not what the log holds.
    this.#runs.delete(origin);
    if (run === undefined) {
      await this.catchUp(log);
      return;
    }
    await writeTaken(this.#db, origin, run.taken(), run.state!);
    this.#keep(origin, run);
  }

  /** Reads what the log holds and the index has not. @throws ConvictionError when the log itself breaks the rules */
  async catchUp(log: IndexedLog): Promise<void> {
    this.#keep(log.origin, await this.#broughtTo(log, log.nextEntry));
  }

  /** Forgets a ledger and reads all of its log again. A stop half-way leaves less of the same index. */
  async rebuild(log: IndexedLog): Promise<void> {
    this.#runs.delete(log.origin);
    await removeRows(this.#db, log.origin);
    await this.catchUp(log);
  }

  #at(origin: string, next: number): LedgerRun | undefined {
    const run = this.#runs.get(origin);
    return run?.next === next ? run : undefined;
  }

  async #broughtTo(log: IndexedLog, to: number): Promise<LedgerRun> {
    const { origin } = log;
    this.#runs.delete(origin);
    let run = new LedgerRun(await readState(this.#db, origin));
    if (run.next > to) {
      // Of another time than the mirror, as when only the mirror was restored from an older copy.
      await removeRows(this.#db, origin);
      run = new LedgerRun(undefined);
    }
    while (run.next < to) {
      const until = Math.min(run.next + catchUpLength, to);
      run.take(await packEntries(log.entries(run.next, until)));
      await writeTaken(this.#db, origin, run.taken(), run.state!);
    }
    return run;
  }

  #keep(origin: string, run: LedgerRun): void {
    this.#runs.set(origin, run);
    let loads = 0;
    for (const { loadCount } of this.#runs.values()) loads += loadCount;
    for (const [oldest, { loadCount }] of this.#runs) {
      if (this.#runs.size <= runsKept && loads <= loadsKept) return;
      if (this.#pending.has(oldest)) continue;
      this.#runs.delete(oldest);
      loads -= loadCount;
    }
  }
}
