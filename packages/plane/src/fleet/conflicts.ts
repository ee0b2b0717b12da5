import { type Digest, digestOf, fromHex, toBase64, toHex, utf8 } from "@tally/evidence";
import type { Clock, Conflict } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";

/** What was found against ledgers: the notes, the proof, and a file that says it all. */
export class Conflicts {
  readonly #db: Database;
  readonly #blobs: BlobStore;
  readonly #clock: Clock;

  constructor(db: Database, blobs: BlobStore, clock: Clock) {
    this.#db = db;
    this.#blobs = blobs;
    this.#clock = clock;
  }

  /** Keeps what was found, and says how the plane stands to the ledger from now on. Told twice, it is kept once. */
  async keep(conflict: Conflict): Promise<void> {
    const [held, refused] = [utf8(conflict.signed), utf8(conflict.offered)];
    await this.#blobs.put(digestOf(held), held);
    await this.#blobs.put(digestOf(refused), refused);
    const proof = JSON.stringify(conflict.proof.map((hash) => toHex(hash)));
    const evidence = utf8(evidenceOf(conflict));
    await this.#blobs.put(digestOf(evidence), evidence);
    await this.#db.transaction(async (db) => {
      await db.run(
        "INSERT INTO conflict (origin, kind, reason, at, held, refused, proof, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
          conflict.origin,
          conflict.kind,
          conflict.reason,
          this.#clock.now(),
          digestOf(held),
          digestOf(refused),
          proof,
          digestOf(evidence),
        ],
      );
      await db.run("UPDATE device SET state = ? WHERE origin = ? AND state IN ('enrolled', 'ok', 'diverged')", [
        conflict.kind,
        conflict.origin,
      ]);
    });
  }

  /** Two histories signed by one ledger's keys, as digests of the notes with the proof. */
  async equivocations(origin: string) {
    const rows = await this.#db.query<{ held: Digest; refused: Digest; proof: string }>(
      "SELECT held, refused, proof FROM conflict WHERE origin = ? AND kind = 'equivocated' ORDER BY at",
      [origin],
    );
    return rows.map(({ held, refused, proof }) => ({
      held,
      refused,
      proof: (JSON.parse(proof) as string[]).map((hash) => fromHex(hash)),
    }));
  }
}

/** What a conflict consists of, for whoever wants to check it: two signed notes and a proof, and entries where they convict. */
function evidenceOf({ origin, kind, reason, signed, offered, proof, old, entries }: Conflict): string {
  const file = {
    format: "tally-conflict/v1",
    origin,
    kind,
    reason,
    held: signed,
    refused: offered,
    old,
    proof: proof.map((hash) => toBase64(hash)),
    ...(entries && { entries: { ...entries, entries: entries.entries.map((entry) => toBase64(entry)) } }),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}
