import { type Digest, erasureType, parseEnvelope } from "@tally/evidence";
import type { BlobStore, Database, Evidence, EvidenceReader, Named } from "@tally/oci";
import { maxEnvelopeBytes } from "../statements/admission.ts";
import type { Statements } from "../statements/index.ts";

const pageLength = 500;
/** Placeholders of one statement of SQL. */
const digestsAtOnce = 100;

export interface EvidenceNamesOptions {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly statements: Pick<Statements, "from" | "alone">;
}

/** What ledgers name in the registry: models that were loaded, segments. Both tables follow from mirrored entries. */
const inLedgers = [
  { table: "load", column: "manifest", because: "a device loaded it, as its ledger says" },
  { table: "segment", column: "artifact", because: "a ledger names it as a segment" },
] as const;

/**
 * The content of the registry that evidence names: every digest in a signed statement of the plane's log (subjects, what a
 * training used, what a selection took in, releases, approvals), and what mirrored ledgers loaded or packed. Erasures are left out:
 * what they name is to be gone.
 */
export function evidenceNames(options: EvidenceNamesOptions): Evidence {
  return { read: () => new NamesReader(options) };
}

class NamesReader implements EvidenceReader {
  readonly #options: EvidenceNamesOptions;
  /** Statements below this index of the log have been read. */
  #next = 0;

  constructor(options: EvidenceNamesOptions) {
    this.#options = options;
  }

  async *all(): AsyncGenerator<Named> {
    yield* this.#statements();
    for (const { table, column, because } of inLedgers) {
      for (let last = ""; ; ) {
        const sql = `SELECT DISTINCT ${column} AS digest FROM ${table} WHERE ${column} > ? ORDER BY ${column} LIMIT ?`;
        const rows = await this.#options.db.query<{ digest: Digest }>(sql, [last, pageLength]);
        for (const { digest } of rows) yield { digest, because };
        if (rows.length < pageLength) break;
        last = rows.at(-1)!.digest;
      }
    }
  }

  async *since(digests: readonly string[]): AsyncGenerator<Named> {
    yield* this.#statements();
    for (let i = 0; i < digests.length; i += digestsAtOnce) {
      const some = digests.slice(i, i + digestsAtOnce);
      const places = some.map(() => "?").join(", ");
      for (const { table, column, because } of inLedgers) {
        const sql = `SELECT DISTINCT ${column} AS digest FROM ${table} WHERE ${column} IN (${places})`;
        for (const { digest } of await this.#options.db.query<{ digest: Digest }>(sql, some)) yield { digest, because };
      }
    }
  }

  alone<T>(step: () => Promise<T>): Promise<T> {
    return this.#options.statements.alone(step);
  }

  async *#statements(): AsyncGenerator<Named> {
    const { statements, blobs } = this.#options;
    for (;;) {
      const rows = await statements.from(this.#next, pageLength);
      for (const { envelope, index, predicateType } of rows) {
        if (predicateType !== erasureType) {
          const { payload } = parseEnvelope(await blobs.bytes(envelope, maxEnvelopeBytes));
          for (const digest of digestsIn(payload)) yield { digest, because: `the statement ${envelope} names it` };
        }
        this.#next = index + 1;
      }
      if (rows.length < pageLength) return;
    }
  }
}

/** Everything in a payload that could be a SHA-256, written as in-toto or as OCI writes it. One too many keeps something, no more. */
function digestsIn(payload: Uint8Array): ReadonlySet<Digest> {
  const text = Buffer.from(payload).toString("latin1");
  return new Set(
    [...text.matchAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)].map(([hex]) => `sha256:${hex}` as Digest),
  );
}
