import { type Digest, digestOf, fromHex, toBase64, toHex, utf8 } from "@tally/evidence";
import type { Clock, Conflict } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import { PlaneError } from "../error.ts";

const maxEvidenceBytes = 64 * 1024 * 1024;

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
      const settled = await db.query("SELECT 1 FROM settled WHERE origin = ? AND evidence = ?", [
        conflict.origin,
        digestOf(evidence),
      ]);
      if (settled.length > 0) return;
      // A ledger that is only closed, or that nobody could reconcile, can still be convicted.
      const from = conflict.kind === "equivocated" ? "'enrolled', 'ok', 'diverged', 'superseded'" : "'enrolled', 'ok'";
      await db.run(`UPDATE device SET state = ? WHERE origin = ? AND state IN (${from})`, [
        conflict.kind,
        conflict.origin,
      ]);
    });
  }

  /**
   * That a person may settle what was found against a ledger: all of it is named, and none of it convicts.
   *
   * @throws PlaneError `conflict`
   */
  async requireSettled(origin: string, settles: readonly Digest[]): Promise<void> {
    const rows = await this.#db.query<{ kind: string; evidence: Digest }>(
      "SELECT kind, evidence FROM conflict WHERE origin = ? AND NOT EXISTS (SELECT 1 FROM settled WHERE settled.origin = conflict.origin AND settled.evidence = conflict.evidence)",
      [origin],
    );
    for (const { kind, evidence } of rows) {
      if (kind === "equivocated") {
        throw new PlaneError("conflict", `${origin} has signed two histories: anyone can check ${evidence}`, {
          hint: "revoke its keys; the device may go on in a new epoch with new ones",
        });
      }
      const { entries } = JSON.parse(Buffer.from(await this.#blobs.bytes(evidence, maxEvidenceBytes)).toString("utf8"));
      if (entries !== undefined) {
        throw new PlaneError("conflict", `${origin} holds entries that contradict themselves: ${evidence}`, {
          hint: "they are refused whoever vouches for them; the device may go on in a new epoch: tally device recover",
        });
      }
      if (!settles.includes(evidence)) {
        throw new PlaneError("conflict", `the statement does not settle ${evidence}, which was found since`, {
          hint: "look at it, and sign again",
        });
      }
    }
  }

  async settle(origin: string, settles: readonly Digest[]): Promise<void> {
    for (const evidence of settles) {
      await this.#db.run("INSERT INTO settled (origin, evidence) VALUES (?, ?) ON CONFLICT DO NOTHING", [
        origin,
        evidence,
      ]);
    }
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
