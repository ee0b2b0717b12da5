import type { Clock } from "@tally/ledger";
import type { Database } from "@tally/oci";

/** What a witness said that does not fit what this plane holds, with the checkpoint that it was shown. */
export interface Contradiction {
  readonly witness: string;
  /** Origin of the log. */
  readonly log: string;
  readonly kind: "larger" | "other-root";
  /** The size that it named; our own for another root. */
  readonly theirs: number;
  readonly ours: number;
  readonly url: string;
  readonly said: string;
  /** The signed checkpoint that it was shown. */
  readonly offered: string;
}

/** Of one witness; one that names another size each time does not fill the disk. */
const keptOfOne = 100;

/**
 * Keeps the words of witnesses that contradict this plane. They are unsigned, so they convict nobody: they tell an operator
 * what to ask whom.
 */
export class WitnessEvidence {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Keeps the first of its kind. */
  async keep(found: Contradiction): Promise<void> {
    const { witness, log, kind, theirs, ours, url, said, offered } = found;
    await this.#db.run(
      `INSERT INTO witness_contradiction (witness, log, kind, theirs, ours, at, url, said, offered)
       SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM witness_contradiction WHERE witness = ?) < ?
       ON CONFLICT DO NOTHING`,
      [witness, log, kind, theirs, ours, this.#clock.now(), url, said.slice(0, 1000), offered, witness, keptOfOne],
    );
  }

  /** What was kept, newest first. */
  all(): Promise<readonly (Contradiction & { readonly at: number })[]> {
    return this.#db.query("SELECT * FROM witness_contradiction ORDER BY at DESC");
  }
}
